"""Numbers that tell what a dataset holds, in the units people read."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from namd.data.dataset import Dataset
from namd.data.doctor.examine import examine
from namd.data.finding import Finding, Severity
from namd.units import ANGSTROM_PER_BOHR, EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

GAP_BINS_EV = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
"""Edges of the gap histogram, eV; a last bin is open above."""
_LISTED_FRAMES = 100


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Smallest, median and largest of some numbers; None if there are none."""

    minimum: float | None
    median: float | None
    maximum: float | None

    @classmethod
    def of(cls, values: np.ndarray) -> "Spread":
        """Spread of the finite ones among ``values``."""
        known = values[np.isfinite(values)]
        if known.size == 0:
            return cls(minimum=None, median=None, maximum=None)
        return cls(
            minimum=float(known.min()), median=float(np.median(known)), maximum=float(known.max())
        )

    def as_json(self) -> dict[str, float | None]:
        """Round to six decimals."""
        numbers = {"minimum": self.minimum, "median": self.median, "maximum": self.maximum}
        return {name: None if x is None else round(x, 6) for name, x in numbers.items()}


@dataclass(frozen=True, kw_only=True)
class StateSummary:
    """One state.

    ``energy_ev`` is above the lowest energy of the lowest state, ``force_rms_ev_per_angstrom`` the
    root mean square over the components of a frame.
    """

    label: str
    energy_ev: Spread
    force_rms_ev_per_angstrom: Spread


@dataclass(frozen=True, kw_only=True)
class PairSummary:
    """One pair of states.

    ``interstate_coupling`` is the norm of h over all atoms (eV/Å), ``nonadiabatic_coupling`` that
    of d (1/Å), ``translation_ratio`` is |Σ_A d_A| / |d|: 0 for a coupling that keeps momentum.
    """

    label: str
    gap_ev: Spread
    gap_histogram: tuple[int, ...]
    interstate_coupling_ev_per_angstrom: Spread | None
    nonadiabatic_coupling_per_angstrom: Spread | None
    translation_ratio: Spread | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """Everything ``namd data inspect`` tells."""

    dataset: Dataset
    groups: Counter[str]
    sources: Counter[str]
    states: tuple[StateSummary, ...]
    pairs: tuple[PairSummary, ...]
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether no error was found."""
        return not self.of("error")

    def of(self, severity: Severity) -> list[Finding]:
        """Findings of one severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    def as_json(self) -> dict[str, Any]:
        """Everything in plain JSON types; lists of frames end after the first hundred."""
        data = self.dataset
        return {
            "title": data.title,
            "frames": len(data),
            "formula": data.molecule.formula,
            "atoms": len(data.molecule),
            "charge": data.molecule.charge,
            "multiplicity": data.multiplicity,
            "states": list(data.states.labels),
            "level_of_theory": data.level_of_theory,
            "licence": data.licence,
            "arrays": sorted(data),
            "groups": {
                "count": len(self.groups),
                "largest": [
                    {"group": name, "frames": count} for name, count in self.groups.most_common(5)
                ],
            },
            "sources": dict(self.sources),
            "state_ranges": [
                {
                    "state": state.label,
                    "energy_ev": state.energy_ev.as_json(),
                    "force_rms_ev_per_angstrom": state.force_rms_ev_per_angstrom.as_json(),
                }
                for state in self.states
            ],
            "pairs": [_pair_json(pair) for pair in self.pairs],
            "faults": [{**_finding(f), "hint": f.hint} for f in self.of("error")],
            "warnings": [_finding(f) for f in self.of("warning")],
            "usable": self.usable,
            "provenance": dict(data.provenance),
        }


@np.errstate(invalid="ignore")  # ∞ − ∞ is NaN, and told as such
def inspect_dataset(dataset: Dataset) -> Inspection:
    """Summarise and check a dataset.

    Parameters
    ----------
    dataset
        Well-formed frames; their numbers may be anything.

    Returns
    -------
    Inspection
        Counts, ranges, histograms, and what :func:`namd.data.doctor.examine.examine` finds.
    """
    return Inspection(
        dataset=dataset,
        groups=Counter(sorted(dataset["group"].tolist())),
        sources=Counter(sorted(dataset["source"].tolist())),
        states=_summarise_states(dataset),
        pairs=tuple(_summarise_pair(dataset, k) for k in range(len(dataset.states.pairs))),
        findings=examine(dataset),
    )


def _summarise_states(dataset: Dataset) -> tuple[StateSummary, ...]:
    energies = dataset["energies"]
    lowest = Spread.of(energies[:, 0]).minimum or 0.0
    relative = (energies - lowest) * EV_PER_HARTREE
    rms = np.sqrt(np.mean(dataset["forces"] ** 2, axis=(2, 3))) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    return tuple(
        StateSummary(
            label=label,
            energy_ev=Spread.of(relative[:, k]),
            force_rms_ev_per_angstrom=Spread.of(rms[:, k]),
        )
        for k, label in enumerate(dataset.states.labels)
    )


def _summarise_pair(dataset: Dataset, pair: int) -> PairSummary:
    i, j = dataset.states.pairs[pair]
    gaps = dataset.gaps[:, pair] * EV_PER_HARTREE
    known = gaps[np.isfinite(gaps)]
    histogram, _ = np.histogram(known, bins=[*GAP_BINS_EV, np.inf])
    h_spread = d_spread = ratio_spread = None
    coupling = dataset.interstate_coupling_or_none
    if coupling is not None:
        h = coupling[:, pair]
        if "nonadiabatic_coupling" in dataset:
            d = dataset["nonadiabatic_coupling"][:, pair]
        else:
            gap = dataset.gaps[:, pair, None, None]
            d = np.divide(h, gap, out=np.full_like(h, np.nan), where=gap != 0)
        d_norm = np.sqrt(np.sum(d**2, axis=(1, 2)))
        total = np.linalg.norm(d.sum(axis=1), axis=-1)
        h_spread = Spread.of(np.sqrt(np.sum(h**2, axis=(1, 2))) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE)
        d_spread = Spread.of(d_norm / ANGSTROM_PER_BOHR)
        ratio_spread = Spread.of(
            np.divide(total, d_norm, out=np.full_like(total, np.nan), where=d_norm > 0)
        )
    return PairSummary(
        label=f"{dataset.states.labels[i]}–{dataset.states.labels[j]}",
        gap_ev=Spread.of(gaps),
        gap_histogram=tuple(histogram.tolist()),
        interstate_coupling_ev_per_angstrom=h_spread,
        nonadiabatic_coupling_per_angstrom=d_spread,
        translation_ratio=ratio_spread,
    )


def _pair_json(pair: PairSummary) -> dict[str, Any]:
    edges = [*GAP_BINS_EV, None]
    spreads = {
        "interstate_coupling_ev_per_angstrom": pair.interstate_coupling_ev_per_angstrom,
        "nonadiabatic_coupling_per_angstrom": pair.nonadiabatic_coupling_per_angstrom,
        "translation_ratio": pair.translation_ratio,
    }
    return {
        "pair": pair.label,
        "gap_ev": pair.gap_ev.as_json(),
        "gap_histogram": [
            {"gap_ev": [edges[k], edges[k + 1]], "frames": frames}
            for k, frames in enumerate(pair.gap_histogram)
        ],
        **{name: spread and spread.as_json() for name, spread in spreads.items()},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "message": finding.message,
        "count": int(finding.frames.size),
        "frames": finding.frames[:_LISTED_FRAMES].tolist(),
    }

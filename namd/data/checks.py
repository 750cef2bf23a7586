"""Refuse labelled data that cannot be right, naming the file, the dataset and the frames.

What is found here makes a dataset unusable; what only deserves a look is left to
:mod:`namd.data.doctor`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from namd.data.dataset import Dataset
from namd.data.finding import Finding, describe_frames
from namd.data.geometry import find_impossible_geometries
from namd.errors import DataError
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE

LARGEST_FORCE_RMS = 1.0
"""Hartree/Bohr (51 eV/Å) per component: forces in eV/Å read as atomic units reach it."""
_UNKNOWN_LEVELS = {"", "unknown", "none", "?", "n/a"}


def check_dataset(
    dataset: Dataset,
    *,
    path: Path | str,
    require_coupling: bool = False,
    require_forces: bool = True,
) -> None:
    """Refuse a dataset whose numbers cannot be right.

    Parameters
    ----------
    dataset
        What was read.
    path
        The file it came from, for the message.
    require_coupling
        Also refuse missing and unknown (NaN) couplings.
    require_forces
        Also refuse frames in which the force of some state is unknown (NaN on all atoms).

    Raises
    ------
    DataError
        Naming the first fault that :func:`find_faults` finds, and whether there are others.
    """
    faults = find_faults(dataset, require_coupling=require_coupling, require_forces=require_forces)
    refuse(faults, path=path)


def refuse(findings: Sequence[Finding], *, path: Path | str) -> None:
    """Raise the first error among findings, if there is one.

    Parameters
    ----------
    findings
        Of any severity.
    path
        The file they are about.

    Raises
    ------
    DataError
        Naming file, array and frames of the first error, and whether there are others.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    first = errors[0]
    others = "; more is wrong, see `namd data check`" if errors[1:] else ""
    raise DataError(
        f"{first.message}{others}",
        where=f"{path}  {first.name}{describe_frames(first.frames)}",
        hint=first.hint,
    )


def find_faults(
    dataset: Dataset, *, require_coupling: bool = False, require_forces: bool = True
) -> list[Finding]:
    """Find every reason why a dataset cannot be used.

    Parameters
    ----------
    dataset
        Well-formed frames.
    require_coupling, require_forces
        Whether missing couplings, and forces unknown for some states of a frame, are faults.

    Returns
    -------
    list of Finding
        Empty if there is none. Checked are: at least one frame, a named level of theory, electron
        count against multiplicity, finite positions, energies and forces, labels that are exactly
        zero, ascending energies, active states that exist, atoms on top of each other, lengths
        and forces in the wrong unit.
    """
    if not len(dataset):
        return [
            _fault("empty", "positions", "the dataset holds no frames", "check how it was made")
        ]
    checks: list[Callable[[Dataset], list[Finding]]] = [
        _level,
        _electrons,
        _finite,
        _zero_forces,
        _ascending,
        _active_state,
        find_impossible_geometries,
        _force_unit,
    ]
    if require_forces:
        checks.append(_unknown_forces)
    if require_coupling:
        checks.append(_couplings)
    return [fault for check in checks for fault in check(dataset)]


def unknown_forces(dataset: Dataset) -> Bool[np.ndarray, "frame state"]:
    """States whose force is unknown (NaN on all atoms) where that of another state is known.

    Trajectories computed with the gradient of the active state alone have such frames.
    """
    missing = np.asarray(np.isnan(dataset["forces"]).all(axis=(2, 3)))
    return missing & ~missing.all(axis=1, keepdims=True)


def unknown_couplings(dataset: Dataset) -> Bool[np.ndarray, " frame"]:
    """Frames in which couplings are missing or not finite; a single state has none to miss."""
    if len(dataset.states) < 2:
        return np.zeros(len(dataset), dtype=bool)
    if not dataset.has_coupling:
        return np.ones(len(dataset), dtype=bool)
    name = "interstate_coupling" if "interstate_coupling" in dataset else "nonadiabatic_coupling"
    return np.asarray(~_finite_frames(dataset[name]))


def _fault(
    kind: str,
    name: str,
    message: str,
    hint: str,
    *,
    bad: Bool[np.ndarray, " frame"] | None = None,
    fixable: bool = False,
) -> Finding:
    frames = np.zeros(0, dtype=np.int64) if bad is None else np.flatnonzero(bad)
    return Finding(
        kind=kind,
        severity="error",
        name=name,
        message=message,
        hint=hint,
        frames=frames,
        fixable=fixable,
    )


def _finite_frames(values: np.ndarray) -> Bool[np.ndarray, " frame"]:
    finite: np.ndarray = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return finite


def _any_state(mask: Bool[np.ndarray, "frame state"]) -> Bool[np.ndarray, " frame"]:
    return np.asarray(mask.any(axis=1))


def _level(dataset: Dataset) -> list[Finding]:
    if dataset.level_of_theory.strip().lower() not in _UNKNOWN_LEVELS:
        return []
    return [
        _fault(
            "level",
            "level_of_theory",
            "the level of theory of the labels is not stated",
            "name it with `namd data convert IN OUT --level TEXT`",
        )
    ]


def _electrons(dataset: Dataset) -> list[Finding]:
    electrons = int(dataset.molecule.atomic_numbers.sum()) - dataset.molecule.charge
    unpaired = dataset.multiplicity - 1
    if electrons >= unpaired >= 0 and (electrons - unpaired) % 2 == 0:
        return []
    return [
        _fault(
            "charge",
            "charge",
            f"{dataset.molecule.formula} with charge {dataset.molecule.charge} has {electrons} "
            f"electrons, which cannot have multiplicity {dataset.multiplicity}",
            "give the charge with `namd data convert IN OUT --charge N`",
        )
    ]


def _finite(dataset: Dataset) -> list[Finding]:
    forces = np.where(unknown_forces(dataset)[:, :, None, None], 0.0, dataset["forces"])
    return [
        _fault(
            "not-finite",
            name,
            f"'{name}' is not finite (NaN or infinite)",
            "leave these frames out, or compute them again",
            bad=bad,
        )
        for name, values in (
            ("positions", dataset["positions"]),
            ("energies", dataset["energies"]),
            ("forces", forces),
        )
        if (bad := ~_finite_frames(values)).any()
    ]


def _unknown_forces(dataset: Dataset) -> list[Finding]:
    unknown = unknown_forces(dataset)
    if not unknown.any():
        return []
    labels = [dataset.states.labels[k] for k in np.flatnonzero(unknown.any(axis=0)).tolist()]
    return [
        _fault(
            "unknown",
            "forces",
            f"the force of {' and '.join(labels)} is unknown (NaN) in some frames",
            "compute the gradients of all states (SHARC: without 'grad_select'), "
            "or leave these frames out",
            bad=_any_state(unknown),
        )
    ]


def _zero_forces(dataset: Dataset) -> list[Finding]:
    if len(dataset.molecule) < 2:
        return []
    bad = (dataset["forces"] == 0).all(axis=(2, 3))
    return [
        _fault(
            "zero-force",
            "forces",
            f"the force of {dataset.states.labels[state]} is exactly zero on all atoms: "
            "it was not computed",
            "leave these frames out, or compute the gradients of all states",
            bad=bad[:, state],
        )
        for state in np.flatnonzero(bad.any(axis=0)).tolist()
    ]


def _ascending(dataset: Dataset) -> list[Finding]:
    energies = dataset["energies"]
    bad = _any_state(energies[:, 1:] < energies[:, :-1])  # false where one is NaN
    if not bad.any():
        return []
    return [
        _fault(
            "order",
            "energies",
            "the energies of the states do not ascend",
            "sort the states by energy, with their forces and couplings",
            bad=bad,
            fixable=True,
        )
    ]


def _active_state(dataset: Dataset) -> list[Finding]:
    if "active_state" not in dataset:
        return []
    active = dataset["active_state"]
    bad = (active < -1) | (active >= len(dataset.states))
    if not bad.any():
        return []
    return [
        _fault(
            "active-state",
            "active_state",
            f"the active state is none of 0 … {len(dataset.states) - 1} (−1: unknown)",
            "states are counted from 0",
            bad=bad,
        )
    ]


def _force_unit(dataset: Dataset) -> list[Finding]:
    # fmax passes over NaN, which is reported on its own.
    rms = np.fmax.reduce(np.sqrt(np.mean(dataset["forces"] ** 2, axis=(2, 3))), axis=1)
    bad = rms > LARGEST_FORCE_RMS
    if not bad.any():
        return []
    worst = int(np.flatnonzero(bad)[0])
    ev = rms[worst] * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    return [
        _fault(
            "unit-slip",
            "forces",
            f"the forces of frame {worst} are {ev:.0f} eV/Å in the mean, above what molecules have",
            "are they in eV/Å? Hartree/Bohr is expected",
            bad=bad,
        )
    ]


def _couplings(dataset: Dataset) -> list[Finding]:
    if len(dataset.states) < 2:
        return []
    if not dataset.has_coupling:
        return [
            _fault(
                "unknown",
                "nonadiabatic_coupling",
                "the dataset holds no couplings between its states",
                "add 'nonadiabatic_coupling' (d, 1/bohr) or 'interstate_coupling' (h, "
                "hartree/bohr) with the axes [frame, pair, atom, 3]",
            )
        ]
    bad = unknown_couplings(dataset)
    if not bad.any():
        return []
    name = "interstate_coupling" if "interstate_coupling" in dataset else "nonadiabatic_coupling"
    return [
        _fault(
            "unknown",
            name,
            "the coupling is not finite (NaN or infinite)",
            "leave these frames out, or compute their couplings",
            bad=bad,
        )
    ]

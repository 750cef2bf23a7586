"""Refuse labelled data that cannot be right, naming the file, the dataset and the frames.

A fault makes a dataset unusable; what only deserves a look is left to
:mod:`namd.data.suspicion`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import covalent_radii
from jaxtyping import Bool, Float, Int

from namd.data.dataset import Dataset
from namd.data.distances import nearest_neighbours
from namd.errors import DataError
from namd.units import ANGSTROM_PER_BOHR, EV_PER_ANGSTROM_PER_ATOMIC_FORCE

CLOSEST_ATOMS = 0.4 / ANGSTROM_PER_BOHR
"""Atoms nearer than this (0.4 Å, in Bohr) lie on top of each other."""
BOND_RATIO = (0.65, 1.6)
"""Bounds of a frame's median nearest-neighbour distance over the sum of covalent radii. Ångström
read as Bohr give 0.53 of the true value, Bohr read as Ångström 1.89."""
LARGEST_FORCE_RMS = 1.0
"""Hartree/Bohr (51 eV/Å) per component: forces in eV/Å read as atomic units reach it."""
_UNKNOWN_LEVELS = {"", "unknown", "none", "?", "n/a"}
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Fault:
    """One reason why a dataset cannot be used.

    Parameters
    ----------
    name
        The array or attribute at fault.
    message, hint
        What is wrong and what was expected; what to do.
    frames
        Where, 0-based; empty if the dataset as a whole is meant.
    """

    name: str
    message: str
    hint: str
    frames: Int[np.ndarray, " fault"]


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
    if not faults:
        return
    first = faults[0]
    others = "; more is wrong, see `namd data inspect`" if faults[1:] else ""
    raise DataError(
        f"{first.message}{others}",
        where=f"{path}  {first.name}{describe_frames(first.frames)}",
        hint=first.hint,
    )


def find_faults(
    dataset: Dataset, *, require_coupling: bool = False, require_forces: bool = True
) -> list[Fault]:
    """Find every reason why a dataset cannot be used.

    Parameters
    ----------
    dataset
        Well-formed frames.
    require_coupling, require_forces
        Whether missing couplings, and forces unknown for some states of a frame, are faults.

    Returns
    -------
    list of Fault
        Empty if there is none. Checked are: at least one frame, a named level of theory, electron
        count against multiplicity, finite positions, energies and forces, labels that are exactly
        zero, ascending energies, active states that exist, atoms on top of each other, lengths
        and forces in the wrong unit.
    """
    if not len(dataset):
        return [_fault("positions", "the dataset holds no frames", "check how it was made")]
    checks: list[Callable[[Dataset], list[Fault]]] = [
        _level,
        _electrons,
        _finite,
        _zero_forces,
        _ascending,
        _active_state,
        _geometry,
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


def describe_frames(frames: Int[np.ndarray, " fault"]) -> str:
    """``", frames 3, 7, 9 and 12 more"``; empty for none."""
    if not frames.size:
        return ""
    shown = ", ".join(str(frame) for frame in frames[:_SHOWN].tolist())
    more = f" and {frames.size - _SHOWN} more" if frames.size > _SHOWN else ""
    return f", frame{'s' if frames.size > 1 else ''} {shown}{more}"


def _fault(
    name: str, message: str, hint: str, *, bad: Bool[np.ndarray, " frame"] | None = None
) -> Fault:
    frames = np.zeros(0, dtype=np.int64) if bad is None else np.flatnonzero(bad)
    return Fault(name=name, message=message, hint=hint, frames=frames)


def _finite_frames(values: np.ndarray) -> Bool[np.ndarray, " frame"]:
    finite: np.ndarray = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return finite


def _any_state(mask: Bool[np.ndarray, "frame state"]) -> Bool[np.ndarray, " frame"]:
    return np.asarray(mask.any(axis=1))


def _level(dataset: Dataset) -> list[Fault]:
    if dataset.level_of_theory.strip().lower() not in _UNKNOWN_LEVELS:
        return []
    return [
        _fault(
            "level_of_theory",
            "the level of theory of the labels is not stated",
            "name it with `namd data convert IN OUT --level TEXT`",
        )
    ]


def _electrons(dataset: Dataset) -> list[Fault]:
    electrons = int(dataset.molecule.atomic_numbers.sum()) - dataset.molecule.charge
    unpaired = dataset.multiplicity - 1
    if electrons >= unpaired >= 0 and (electrons - unpaired) % 2 == 0:
        return []
    return [
        _fault(
            "charge",
            f"{dataset.molecule.formula} with charge {dataset.molecule.charge} has {electrons} "
            f"electrons, which cannot have multiplicity {dataset.multiplicity}",
            "give the charge with `namd data convert IN OUT --charge N`",
        )
    ]


def _finite(dataset: Dataset) -> list[Fault]:
    forces = np.where(unknown_forces(dataset)[:, :, None, None], 0.0, dataset["forces"])
    return [
        _fault(
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


def _unknown_forces(dataset: Dataset) -> list[Fault]:
    unknown = unknown_forces(dataset)
    if not unknown.any():
        return []
    labels = [dataset.states.labels[k] for k in np.flatnonzero(unknown.any(axis=0)).tolist()]
    return [
        _fault(
            "forces",
            f"the force of {' and '.join(labels)} is unknown (NaN) in some frames",
            "compute the gradients of all states (SHARC: without 'grad_select'), "
            "or leave these frames out",
            bad=_any_state(unknown),
        )
    ]


def _zero_forces(dataset: Dataset) -> list[Fault]:
    if len(dataset.molecule) < 2:
        return []
    bad = (dataset["forces"] == 0).all(axis=(2, 3))
    return [
        _fault(
            "forces",
            f"the force of {dataset.states.labels[state]} is exactly zero on all atoms: "
            "it was not computed",
            "leave these frames out, or compute the gradients of all states",
            bad=bad[:, state],
        )
        for state in np.flatnonzero(bad.any(axis=0)).tolist()
    ]


def _ascending(dataset: Dataset) -> list[Fault]:
    energies = dataset["energies"]
    bad = _any_state(energies[:, 1:] < energies[:, :-1])  # false where one is NaN
    if not bad.any():
        return []
    return [
        _fault(
            "energies",
            "the energies of the states do not ascend",
            "sort the states by energy, with their forces and couplings",
            bad=bad,
        )
    ]


def _active_state(dataset: Dataset) -> list[Fault]:
    if "active_state" not in dataset:
        return []
    active = dataset["active_state"]
    bad = (active < -1) | (active >= len(dataset.states))
    if not bad.any():
        return []
    return [
        _fault(
            "active_state",
            f"the active state is none of 0 … {len(dataset.states) - 1} (−1: unknown)",
            "states are counted from 0",
            bad=bad,
        )
    ]


def _geometry(dataset: Dataset) -> list[Fault]:
    if len(dataset.molecule) < 2:
        return []
    known = np.flatnonzero(_finite_frames(dataset["positions"]))
    distance, partner = nearest_neighbours(dataset["positions"][known])
    faults = []
    on_top = np.zeros(len(dataset), dtype=bool)
    on_top[known] = (distance < CLOSEST_ATOMS).any(axis=1)
    if on_top.any():
        worst = int(np.flatnonzero(on_top[known])[0])
        atom = int(distance[worst].argmin())
        other = int(partner[worst, atom])
        symbols = dataset.molecule.symbols
        faults.append(
            _fault(
                "positions",
                f"atoms {atom} ({symbols[atom]}) and {other} ({symbols[other]}) are "
                f"{distance[worst, atom] * ANGSTROM_PER_BOHR:.2f} Å apart in frame {known[worst]}",
                "leave these frames out, or check the unit of the positions (Bohr is expected)",
                bad=on_top,
            )
        )
    ratio = np.ones(len(dataset))
    ratio[known] = _median_bond(distance, partner, dataset.molecule.atomic_numbers)
    # Two atoms may well be drawn apart; of three or more, half stay bonded to something.
    upper = BOND_RATIO[1] if len(dataset.molecule) > 2 else np.inf
    wrong = ((ratio < BOND_RATIO[0]) | (ratio > upper)) & ~on_top
    if wrong.any():
        worst = int(np.flatnonzero(wrong)[0])
        faults.append(
            _fault(
                "positions",
                f"bonds have {ratio[worst]:.2f} times their usual length in frame {worst}: "
                "the positions are not in Bohr",
                "convert them (1 Å = 1.8897 Bohr); some files mix units from frame to frame",
                bad=wrong,
            )
        )
    return faults


def bond_ratios(
    positions: Float[np.ndarray, "frame atom 3"], atomic_numbers: Int[np.ndarray, " atom"]
) -> Float[np.ndarray, " frame"]:
    """Median distance of every frame's nearest neighbours over the sum of their covalent radii.

    Parameters
    ----------
    positions
        Bohr; at least two atoms. :data:`BOND_RATIO` bounds what molecules of three or more have.
    atomic_numbers
        One per atom.
    """
    return _median_bond(*nearest_neighbours(positions), atomic_numbers)


def _median_bond(
    distance: Float[np.ndarray, "frame atom"],
    partner: Int[np.ndarray, "frame atom"],
    atomic_numbers: Int[np.ndarray, " atom"],
) -> Float[np.ndarray, " frame"]:
    radii = covalent_radii[atomic_numbers] / ANGSTROM_PER_BOHR
    ratios: np.ndarray = np.median(distance / (radii[None] + radii[partner]), axis=1)
    return ratios


def _force_unit(dataset: Dataset) -> list[Fault]:
    # fmax passes over NaN, which is reported on its own.
    rms = np.fmax.reduce(np.sqrt(np.mean(dataset["forces"] ** 2, axis=(2, 3))), axis=1)
    bad = rms > LARGEST_FORCE_RMS
    if not bad.any():
        return []
    worst = int(np.flatnonzero(bad)[0])
    ev = rms[worst] * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    return [
        _fault(
            "forces",
            f"the forces of frame {worst} are {ev:.0f} eV/Å in the mean, above what molecules have",
            "are they in eV/Å? Hartree/Bohr is expected",
            bad=bad,
        )
    ]


def _couplings(dataset: Dataset) -> list[Fault]:
    if len(dataset.states) < 2:
        return []
    if not dataset.has_coupling:
        return [
            _fault(
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
            name,
            "the coupling is not finite (NaN or infinite)",
            "leave these frames out, or compute their couplings",
            bad=bad,
        )
    ]

r"""Units that slipped, where only one factor can explain the numbers.

* *Lengths*, frame by frame: :mod:`namd.data.lengths`.
* *Energies*, frame by frame: total energies of one molecule differ by per mille, so a frame whose
  energies are 27.2114 times those of the others is in eV.
* *Forces and energies*, walk by walk: along a trajectory ΔE = c·W with the trapezoid W of F·dR and
  c = 1. The least-squares factor names the unit, or the sign of gradients taken for forces.
* *Velocities and time*, walk by walk: ΔR/Δt = c·v with c = 1.

A factor is taken for certain if it leaves less than a fifth of what was to be explained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from namd.data.dataset import Dataset
from namd.data.doctor.steps import LONGEST_STEP, displacement_rate
from namd.data.finding import Finding, hits
from namd.data.geometry import find_length_slips
from namd.data.lengths import length_slips
from namd.data.walks import trajectory_links, trajectory_walks
from namd.units import (
    ANGSTROM_PER_BOHR,
    EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
    EV_PER_HARTREE,
    FS_PER_ATOMIC_TIME,
)

KCAL_PER_HARTREE = 627.509474
KJ_PER_HARTREE = 4.184 * KCAL_PER_HARTREE
ENERGY_UNITS: Mapping[str, float] = {
    "eV": EV_PER_HARTREE,
    "kcal/mol": KCAL_PER_HARTREE,
    "kJ/mol": KJ_PER_HARTREE,
}
"""What one Hartree is in other units."""
FORCE_UNITS: Mapping[str, float] = {
    "Hartree/Å": 1.0 / ANGSTROM_PER_BOHR,
    "eV/Bohr": EV_PER_HARTREE,
    "eV/Å": EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
    "kcal/mol/Å": KCAL_PER_HARTREE / ANGSTROM_PER_BOHR,
}
"""What one Hartree/Bohr is in other units."""
VELOCITY_UNITS: Mapping[str, float] = {
    "Å·Hartree/ħ": ANGSTROM_PER_BOHR,
    "Bohr/fs": 1.0 / FS_PER_ATOMIC_TIME,
    "Å/fs": ANGSTROM_PER_BOHR / FS_PER_ATOMIC_TIME,
}
"""What one Bohr·Hartree/ħ is in other units."""
LARGEST_USUAL_FORCE = 0.2
"""Hartree/Bohr (10 eV/Å) per component in the mean of a trajectory; usual are 0.02 to 0.06."""
_LEFT = 0.2
_FEWEST_LINKS = 4
_SAME_TOTAL = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class Slip:
    """A factor that turns an array of some frames into atomic units.

    Parameters
    ----------
    name
        The array.
    factor
        What to multiply it by.
    what, evidence
        What it is instead, and what it fits once multiplied, in words.
    frames
        Where, 0-based.
    """

    name: str
    factor: float
    what: str
    evidence: str
    frames: Int[np.ndarray, " slipped"]


@dataclass(frozen=True, kw_only=True)
class _Guess:
    """What ΔE = c·W or ΔR/Δt = c·v with this c would mean."""

    c: float
    name: str
    factor: float
    what: str


def find_unit_slips(dataset: Dataset) -> list[Finding]:
    """Tell every unit slip; those of velocities are warnings, the others errors."""
    found = find_length_slips(dataset)
    for slip in numeric_slips(mend_lengths(dataset)):
        mask = np.zeros(len(dataset), dtype=bool)
        mask[slip.frames] = True
        found += hits(
            mask,
            kind="unit-slip",
            severity="warning" if slip.name == "velocities" else "error",
            name=slip.name,
            message=f"the {slip.name} are {slip.what}: multiplied by {slip.factor:.6g} they fit "
            f"{slip.evidence}",
            hint="convert them to atomic units",
            fixable=True,
        )
    return found


def mend_units(dataset: Dataset) -> Dataset:
    """Bring every array that :func:`find_unit_slips` tells of into atomic units."""
    dataset = mend_lengths(dataset)
    for slip in numeric_slips(dataset):
        values = dataset[slip.name].copy()
        values[slip.frames] *= slip.factor
        dataset = replace(dataset, arrays={**dataset.arrays, slip.name: values})
    return dataset


def mend_lengths(dataset: Dataset) -> Dataset:
    """Bring positions that were multiplied by a power of 0.529 into Bohr."""
    power = length_slips(dataset["positions"], dataset.molecule.atomic_numbers)
    if not power.any():
        return dataset
    factor = ANGSTROM_PER_BOHR ** -power.astype(np.float64)
    positions = dataset["positions"] * factor[:, None, None]
    return replace(dataset, arrays={**dataset.arrays, "positions": positions})


def numeric_slips(dataset: Dataset) -> list[Slip]:
    """Find slips of energies, forces and velocities in a dataset whose lengths are right."""
    single = _energy_slips(dataset["energies"])
    energies = dataset["energies"].copy()
    for slip in single:
        energies[slip.frames] *= slip.factor
    mended = replace(dataset, arrays={**dataset.arrays, "energies": energies})
    return [*single, *_force_slips(mended), *_velocity_slips(mended)]


def _energy_slips(energies: Float[np.ndarray, "frame state"]) -> list[Slip]:
    """Frames whose energies are a known factor above those of the others."""
    size = np.abs(energies)
    known = np.isfinite(size).all(axis=1) & (size > 0).all(axis=1)
    if not known.any():
        return []
    logarithm = np.full(size.shape, np.nan)
    logarithm[known] = np.log(size[known])
    distance = logarithm - np.median(logarithm[known], axis=0)

    def lie_at(factor: float) -> Int[np.ndarray, " frame"]:
        return np.flatnonzero((np.abs(distance - np.log(factor)) < _SAME_TOTAL).all(axis=1))

    usual = lie_at(1.0)
    if 2 * usual.size <= len(energies):  # relative energies scatter: no factor means anything
        return []
    return [
        Slip(
            name="energies",
            factor=1 / factor,
            what=f"in {unit}",
            evidence="those of the other frames",
            frames=frames,
        )
        for unit, factor in ENERGY_UNITS.items()
        # The numbers in Hartree are the smaller ones, even where they are the fewer.
        for frames in (lie_at(factor), usual if lie_at(1 / factor).size else usual[:0])
        if frames.size
    ]


def _force_slips(dataset: Dataset) -> list[Slip]:
    before, after = trajectory_links(dataset, longest=LONGEST_STEP)
    displacement = dataset["positions"][after] - dataset["positions"][before]
    mean = 0.5 * (dataset["forces"][before] + dataset["forces"][after])
    trapezoid = -np.einsum("tsax,tax->ts", mean, displacement)
    change = dataset["energies"][after] - dataset["energies"][before]
    guesses = [_Guess(c=-1.0, name="forces", factor=-1.0, what="gradients, not forces")]
    for unit, factor in ENERGY_UNITS.items():
        guesses.append(_Guess(c=factor, name="energies", factor=1 / factor, what=f"in {unit}"))
    for unit, factor in FORCE_UNITS.items():
        for sign, words in ((1.0, ""), (-1.0, "gradients, not forces, and ")):
            c = sign / factor
            guesses.append(_Guess(c=c, name="forces", factor=c, what=f"{words}in {unit}"))
    slips = _explaining(dataset, after, change=change, by=trapezoid, guesses=guesses)
    return [slip for slip in slips if _plausible(dataset, slip)]


def _plausible(dataset: Dataset, slip: Slip) -> bool:
    """Whether forces would be those of a molecule once a slip is mended.

    Energies in eV with forces in eV/Å have the factor of Hartree with Hartree/Å: only the size of
    the forces tells them apart, and the first are left to be told as forces in a wrong unit.
    """
    forces = dataset["forces"][slip.frames]
    known = forces[np.isfinite(forces)]
    factor = abs(slip.factor) if slip.name == "forces" else 1.0
    return float(np.sqrt(np.mean(known**2))) * factor < LARGEST_USUAL_FORCE


def _velocity_slips(dataset: Dataset) -> list[Slip]:
    if not {"velocities", "time"} <= set(dataset):
        return []
    before, after = trajectory_links(dataset, longest=LONGEST_STEP)
    mean = 0.5 * (dataset["velocities"][before] + dataset["velocities"][after])
    rate = displacement_rate(dataset, before, after)
    guesses = [
        _Guess(c=1 / factor, name="velocities", factor=1 / factor, what=f"in {unit}")
        for unit, factor in VELOCITY_UNITS.items()
    ]
    columns = 3 * len(dataset.molecule)
    return _explaining(
        dataset,
        after,
        change=rate.reshape(-1, columns),
        by=mean.reshape(-1, columns),
        guesses=guesses,
    )


def _explaining(
    dataset: Dataset,
    after: Int[np.ndarray, " link"],
    *,
    change: Float[np.ndarray, "link column"],
    by: Float[np.ndarray, "link column"],
    guesses: Sequence[_Guess],
) -> list[Slip]:
    """Find the walks in which ``change`` = c ``by`` holds for the c of a guess.

    The squared rest of every walk and c follows from three sums.
    """
    if not after.size:
        return []
    walks = trajectory_walks(dataset)
    walk_of = np.zeros(len(dataset), dtype=np.int64)
    for number, walk in enumerate(walks):
        walk_of[walk] = number
    known = np.isfinite(change) & np.isfinite(by)
    y, x = np.where(known, change, 0.0), np.where(known, by, 0.0)

    def over_walks(values: Float[np.ndarray, "link column"]) -> Float[np.ndarray, " walk"]:
        return np.bincount(walk_of[after], weights=values.sum(axis=1), minlength=len(walks))

    yy, xy, xx = over_walks(y * y), over_walks(x * y), over_walks(x * x)
    enough = (np.bincount(walk_of[after], minlength=len(walks)) >= _FEWEST_LINKS) & (yy > 0)
    slips = []
    for guess in guesses:
        rest = yy - 2 * guess.c * xy + guess.c**2 * xx
        chosen = np.flatnonzero(enough & (rest < _LEFT**2 * yy))
        if chosen.size:
            slips.append(
                Slip(
                    name=guess.name,
                    factor=guess.factor,
                    what=guess.what,
                    evidence="the steps of the trajectory",
                    frames=np.sort(np.concatenate([walks[k] for k in chosen.tolist()])),
                )
            )
    return slips

"""Numbers far from all others of their kind, and atoms where none should be.

The robust score (x − median)/(1.4826 MAD) cannot be hidden from by a few bad frames that widen the
spread. Forces are scored by their logarithm as well and couplings by it alone, since they span
decades.
"""

import numpy as np
from ase.data import covalent_radii
from jaxtyping import Bool, Float

from namd.data.dataset import Dataset
from namd.data.distances import inverse_distances, nearest_neighbours
from namd.data.finding import Finding, hits
from namd.data.lengths import length_slips
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

OUTLIER_SCORE = 8.0
"""Robust score above which a number is an outlier (8σ of a normal distribution)."""
FAR_ATOM = 3.0 / ANGSTROM_PER_BOHR
"""An atom with no other nearer than this (3 Å, in Bohr) has left the molecule."""
SQUEEZED = 0.6
"""Two atoms nearer than this part of the sum of their covalent radii (C–H 0.64 Å) collide."""
WIDEST_GAP = 30.0 / EV_PER_HARTREE
"""Between neighbouring states (30 eV, in Hartree); energies in eV read as Hartree reach it."""


def robust_score(values: Float[np.ndarray, " frame"]) -> Float[np.ndarray, " frame"]:
    """(x − median)/(1.4826 MAD); 0 where all values are equal, NaN where x is NaN."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return np.full_like(values, np.nan)
    median = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - median))
    if spread <= 1e-12 * (1.0 + abs(median)):
        return np.where(np.isfinite(values), 0.0, np.nan)
    score: np.ndarray = (values - median) / spread
    return score


def find_outliers(dataset: Dataset) -> list[Finding]:
    """Find outliers of energy, force and coupling per state and pair; NaN is passed over."""
    found = []
    forces = _norms(dataset["forces"])
    for state, label in enumerate(dataset.states.labels):
        energies = _outlying(dataset["energies"][:, state])
        # The logarithm alone would call the small forces near a minimum outliers.
        strong = _outlying(forces[:, state]) & _outlying(_logarithm(forces[:, state]))
        for name, mask in (("energies", energies), ("forces", strong)):
            found += hits(
                mask,
                kind="outlier",
                severity="warning",
                name=name,
                message=f"{name} of {label} are outliers",
                hint="look at these frames; leave them out if the reference calculation failed",
            )
    if dataset.has_coupling:
        norms = _norms(dataset.interstate_coupling)
        for pair, (i, j) in enumerate(dataset.states.pairs):
            label = f"{dataset.states.labels[i]}–{dataset.states.labels[j]}"
            found += hits(
                _outlying(_logarithm(norms[:, pair])),
                kind="outlier",
                severity="warning",
                name="coupling",
                message=f"the coupling {label} is an outlier",
                hint="h = d·gap is smooth in most places: look for another electronic solution "
                "or a coupling that did not converge",
            )
    return found


def find_odd_geometries(dataset: Dataset) -> list[Finding]:
    """Find atoms far from all others and atoms that collide; slipped units are passed over."""
    if len(dataset.molecule) < 2:
        return []
    positions, numbers = dataset["positions"], dataset.molecule.atomic_numbers
    sound = length_slips(positions, numbers) == 0
    distance, _ = nearest_neighbours(positions)
    first, second = np.triu_indices(len(numbers), k=1)
    radii = covalent_radii[numbers] / ANGSTROM_PER_BOHR
    squeezed = inverse_distances(positions) * (radii[first] + radii[second]) * SQUEEZED > 1.0
    return [
        *hits(
            (distance > FAR_ATOM) & sound[:, None],
            kind="far-atom",
            severity="warning",
            name="positions",
            message="an atom is more than 3 Å from every other",
            hint="right for a dissociation; else check where these frames come from",
        ),
        *hits(
            squeezed & sound[:, None],
            kind="squeezed",
            severity="warning",
            name="positions",
            message=f"two atoms are nearer than {SQUEEZED:g} of the sum of their covalent radii",
            hint="no trajectory goes there; leave these frames out",
        ),
    ]


def find_wide_gaps(dataset: Dataset) -> list[Finding]:
    """Find neighbouring states further apart than any of photochemistry."""
    return hits(
        np.diff(dataset["energies"], axis=1) > WIDEST_GAP,
        kind="wide-gap",
        severity="warning",
        name="energies",
        message="states are more than 30 eV apart: are the energies in Hartree?",
        hint="convert them (1 Hartree = 27.2114 eV)",
    )


def _outlying(values: Float[np.ndarray, " frame"]) -> Bool[np.ndarray, " frame"]:
    return np.asarray(np.abs(robust_score(values)) > OUTLIER_SCORE)  # false where NaN


def _norms(values: np.ndarray) -> Float[np.ndarray, "frame column"]:
    """Norm over atoms and directions."""
    norms: np.ndarray = np.sqrt(np.sum(values**2, axis=(-1, -2)))
    return norms


def _logarithm(norms: Float[np.ndarray, " frame"]) -> Float[np.ndarray, " frame"]:
    return np.log(np.where(norms > 0, norms, np.nan))

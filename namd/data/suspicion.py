"""Frames that deserve a look: nothing here makes a dataset unusable.

What is searched for, and why:

* forces, couplings unknown in some frames; an atom far from all others
* gaps wider than any between the states of photochemistry: energies in another unit
* *outliers* in energy, force and coupling by the robust score (x − median)/(1.4826 MAD), which a
  few bad frames cannot hide by widening the spread; couplings by their logarithm, since they
  legitimately span decades
* *jumps*: along a trajectory the energy must change by −∫F·dR; between neighbouring frames the
  trapezoid −½(F + F')·ΔR is that up to third order. A difference means a label that fell on
  another electronic solution, or a wrong unit
* *repeats*: two frames with the same energies and distances weigh double, and leak from training
  into the test if their groups differ
* a stored diabatic Hamiltonian whose eigenvalues are not the energies
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.data.checks import unknown_couplings, unknown_forces
from namd.data.dataset import Dataset
from namd.data.distances import nearest_neighbours
from namd.data.repeats import repeated_frames
from namd.data.walks import trajectory_walks
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE, FS_PER_ATOMIC_TIME

FAR_ATOM = 3.0 / ANGSTROM_PER_BOHR
"""An atom with no other nearer than this (3 Å, in Bohr) has left the molecule."""
OUTLIER_SCORE = 8.0
"""Robust score above which a number is an outlier (8σ of a normal distribution)."""
LONGEST_STEP = 1.01 / FS_PER_ATOMIC_TIME
"""Frames further apart in time (1.01 fs, in ħ/Hartree) are not compared by the trapezoid."""
LARGEST_JUMP = 0.05 / EV_PER_HARTREE
"""Energy that forces may leave unexplained between two neighbouring frames (0.05 eV)."""
WIDEST_GAP = 30.0 / EV_PER_HARTREE
"""Between neighbouring states (30 eV, in Hartree); energies in eV read as Hartree reach it."""
_SAME_EIGENVALUE = 1e-3 / EV_PER_HARTREE


@dataclass(frozen=True, kw_only=True, eq=False)
class Suspicion:
    """Something that deserves a look.

    Parameters
    ----------
    name
        The array it is about.
    message
        What was seen.
    frames
        Where, 0-based; empty if the dataset as a whole is meant.
    """

    name: str
    message: str
    frames: Int[np.ndarray, " suspicious"]


def find_suspicions(dataset: Dataset) -> list[Suspicion]:
    """Find frames that deserve a look.

    Parameters
    ----------
    dataset
        Well-formed, non-empty frames; NaN anywhere is passed over.

    Returns
    -------
    list of Suspicion
        In the order of the module's list.
    """
    return [
        *_unknown(dataset),
        *_far_atoms(dataset),
        *_wide_gaps(dataset),
        *_outliers(dataset),
        *_jumps(dataset),
        *_repeats(dataset),
        *_eigenvalues(dataset),
    ]


def unexplained_energy(
    dataset: Dataset, walk: Int[np.ndarray, " step"]
) -> Float[np.ndarray, "interval state"]:
    """E(t + Δt) − E(t) + ½(F(t) + F(t + Δt))·ΔR along consecutive frames, Hartree.

    Parameters
    ----------
    dataset
        Frames with energies and forces.
    walk
        Consecutive frame numbers of one trajectory.

    Returns
    -------
    numpy.ndarray
        Zero up to the third order of the step for consistent labels; NaN where a force is unknown.
    """
    displacement = np.diff(dataset["positions"][walk], axis=0)
    forces = dataset["forces"][walk]
    work = np.einsum("tsax,tax->ts", 0.5 * (forces[1:] + forces[:-1]), displacement)
    unexplained: np.ndarray = np.diff(dataset["energies"][walk], axis=0) + work
    return unexplained


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


def _hits(name: str, message: str, mask: Bool[np.ndarray, "frame ..."]) -> list[Suspicion]:
    frames = np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))
    return [Suspicion(name=name, message=message, frames=frames)] if frames.size else []


def _norms(values: np.ndarray) -> Float[np.ndarray, "frame column"]:
    """Norm over atoms and directions."""
    norms: np.ndarray = np.sqrt(np.sum(values**2, axis=(-1, -2)))
    return norms


def _pair_label(dataset: Dataset, pair: int) -> str:
    i, j = dataset.states.pairs[pair]
    return f"{dataset.states.labels[i]}–{dataset.states.labels[j]}"


def _unknown(dataset: Dataset) -> list[Suspicion]:
    found = []
    unknown = unknown_forces(dataset)
    for state, label in enumerate(dataset.states.labels):
        message = f"the force of {label} is unknown: training learns from the others"
        found += _hits("forces", message, unknown[:, state])
    if dataset.has_coupling:
        message = "the coupling is unknown: training refuses such frames"
        found += _hits("coupling", message, unknown_couplings(dataset))
    elif len(dataset.states) > 1:
        nowhere = np.zeros(0, dtype=np.int64)
        message = "there are no couplings between the states"
        found.append(Suspicion(name="coupling", message=message, frames=nowhere))
    return found


def _far_atoms(dataset: Dataset) -> list[Suspicion]:
    if len(dataset.molecule) < 2:
        return []
    distance, _ = nearest_neighbours(dataset["positions"])
    message = "an atom is more than 3 Å from every other"
    return _hits("positions", message, distance > FAR_ATOM)


def _wide_gaps(dataset: Dataset) -> list[Suspicion]:
    message = "states are more than 30 eV apart: are the energies in Hartree?"
    return _hits("energies", message, np.diff(dataset["energies"], axis=1) > WIDEST_GAP)


def _outliers(dataset: Dataset) -> list[Suspicion]:
    found = []
    forces = _norms(dataset["forces"])
    for state, label in enumerate(dataset.states.labels):
        for name, values in (
            ("energies", dataset["energies"][:, state]),
            ("forces", forces[:, state]),
        ):
            message = f"{name} of {label} are outliers"
            found += _hits(name, message, np.abs(robust_score(values)) > OUTLIER_SCORE)
    coupling = dataset.interstate_coupling_or_none
    if coupling is not None:
        norms = _norms(coupling)
        for pair in range(norms.shape[1]):
            score = robust_score(np.log(np.where(norms[:, pair] > 0, norms[:, pair], np.nan)))
            message = f"the coupling {_pair_label(dataset, pair)} is an outlier"
            found += _hits("coupling", message, np.abs(score) > OUTLIER_SCORE)
    return found


def _jumps(dataset: Dataset) -> list[Suspicion]:
    mask = np.zeros((len(dataset), len(dataset.states)), dtype=bool)
    for walk in trajectory_walks(dataset):
        near = np.diff(dataset["time"][walk]) <= LONGEST_STEP
        jump = np.abs(unexplained_energy(dataset, walk)) > LARGEST_JUMP
        mask[walk[1:]] |= jump & near[:, None]
    return [
        suspicion
        for state, label in enumerate(dataset.states.labels)
        for suspicion in _hits(
            "energies",
            f"the energy of {label} jumps by more than {LARGEST_JUMP * EV_PER_HARTREE:.2f} eV "
            "against its forces since the frame before",
            mask[:, state],
        )
    ]


def _repeats(dataset: Dataset) -> list[Suspicion]:
    later, earlier = repeated_frames(dataset)
    foreign = dataset["group"][later] != dataset["group"][earlier]
    leak = "repeat a frame of another group: a split may leak them into the test"
    return [
        Suspicion(name="positions", message=message, frames=np.unique(frames))
        for message, frames in (
            ("repeat a frame of their own group", later[~foreign]),
            (leak, later[foreign]),
        )
        if frames.size
    ]


def _eigenvalues(dataset: Dataset) -> list[Suspicion]:
    if "diabatic_hamiltonian" not in dataset:
        return []
    w = dataset["diabatic_hamiltonian"]
    known = np.flatnonzero(np.isfinite(w).all(axis=(1, 2)))
    number = min(w.shape[-1], len(dataset.states))
    values = np.linalg.eigvalsh(w[known])[:, :number]
    off = np.abs(values - dataset["energies"][known, :number]) > _SAME_EIGENVALUE
    mask = np.zeros(len(dataset), dtype=bool)
    mask[known] = off.any(axis=1)
    return _hits(
        "diabatic_hamiltonian", "the eigenvalues of W are not the energies (> 1 meV)", mask
    )

"""Errors of a model on labelled frames, per state and per gap bin.

Energies are compared as they are, without shifting by the test set's own mean. Couplings are
compared as h_ij after the joint choice of state signs (:func:`namd.train.loss.align_coupling`):

    R² = 1 − Σ|h − h_ref|² / Σ|h_ref|²,   cosine = ⟨ ĥ · ĥ_ref ⟩ over frames and pairs.

The mean of h_ref is not subtracted: with a free sign per frame its only meaningful mean is zero.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

GAP_BINS_EV = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What a model says of its own errors, NumPy, eV and Å; not calibrated.

    Parameters
    ----------
    energies, gaps, forces, coupling
        Standard deviations, component by component.
    freedom
        Degrees of freedom of each: members less one, infinite where it is no estimate of few.
    """

    energies: Float[np.ndarray, "frame state"]
    gaps: Float[np.ndarray, "frame pair"]
    forces: Float[np.ndarray, "frame state atom 3"]
    coupling: Float[np.ndarray, "frame pair atom 3"]
    freedom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Predictions beside references, NumPy, eV and Å; coupling signs already aligned.

    ``coupling`` arrays are empty along ``pair`` for one state, and None without reference
    couplings. Dipoles (e·Bohr) have signs of their states as well, and are None where model or
    labels have none, ``spread`` where the model has none.
    """

    energies: Float[np.ndarray, "frame state"]
    reference_energies: Float[np.ndarray, "frame state"]
    forces: Float[np.ndarray, "frame state atom 3"]
    reference_forces: Float[np.ndarray, "frame state atom 3"]
    coupling: Float[np.ndarray, "frame pair atom 3"] | None
    reference_coupling: Float[np.ndarray, "frame pair atom 3"] | None
    dipoles: Float[np.ndarray, "frame pair 3"] | None = None
    reference_dipoles: Float[np.ndarray, "frame pair 3"] | None = None
    spread: Spread | None = None

    @property
    def gaps(self) -> Float[np.ndarray, "frame pair"]:
        """Predicted E_j − E_i, eV."""
        return _gaps(self.energies)

    @property
    def reference_gaps(self) -> Float[np.ndarray, "frame pair"]:
        """Reference E_j − E_i, eV."""
        return _gaps(self.reference_energies)


def _gaps(energies: Float[np.ndarray, "frame state"]) -> Float[np.ndarray, "frame pair"]:
    first, second = np.triu_indices(energies.shape[1], k=1)
    return np.asarray(energies[:, second] - energies[:, first])


def with_distance(comparison: Comparison, distance: Float[np.ndarray, " frame"]) -> Comparison:
    """The same with deviations of one Hartree (Hartree/Bohr) per unit of distance.

    Parameters
    ----------
    comparison
        Of a single model.
    distance
        Of its features from those of its training frames (:mod:`namd.nn.distance`).
    """

    def wide(shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(distance.reshape(-1, *(1,) * (len(shape) - 1)), shape)

    gaps = comparison.gaps.shape
    spread = Spread(
        energies=in_ev(wide(comparison.energies.shape)),
        gaps=in_ev(wide(gaps)),
        forces=in_ev_per_angstrom(wide(comparison.forces.shape)),
        coupling=in_ev_per_angstrom(wide((*gaps, *comparison.forces.shape[2:]))),
        freedom=np.inf,
    )
    return replace(comparison, spread=spread)


def in_ev(hartree: np.ndarray) -> np.ndarray:
    """Hartree → eV."""
    return np.asarray(hartree) * EV_PER_HARTREE


def in_ev_per_angstrom(atomic: np.ndarray) -> np.ndarray:
    """Hartree/Bohr → eV/Å."""
    return np.asarray(atomic) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE


def _errors(c: Comparison, rows: Bool[np.ndarray, " frame"]) -> dict[str, Any]:
    """The errors of some frames; None where nothing can be said.

    Frames whose coupling, or whose force of some state, is unknown (NaN) are left out of that
    quantity's errors alone.
    """
    if not rows.any():
        states = c.energies.shape[1]
        empty = {"energy_mae_mev": None, "force_mae_mev_per_angstrom": None}
        nothing = {"gap_mae_mev": None, "coupling_r2": None, "coupling_cosine": None}
        return {"frames": 0, "states": [dict(empty) for _ in range(states)], **nothing}
    energy = 1e3 * np.abs(c.energies - c.reference_energies)[rows].mean(0)
    force_errors = 1e3 * np.abs(c.forces - c.reference_forces)[rows].mean((2, 3))
    known = np.isfinite(force_errors)
    force = [
        float(column[there].mean()) if there.any() else None
        for column, there in zip(force_errors.T, known.T, strict=True)
    ]
    gap = 1e3 * np.abs(c.gaps - c.reference_gaps)[rows]
    r2, cosine = _coupling_errors(c, rows)
    return {
        "frames": int(rows.sum()),
        "states": [
            {"energy_mae_mev": float(e), "force_mae_mev_per_angstrom": f}
            for e, f in zip(energy, force, strict=True)
        ],
        "gap_mae_mev": float(gap.mean()) if gap.size else None,
        "coupling_r2": r2,
        "coupling_cosine": cosine,
    }


def _coupling_errors(
    c: Comparison, rows: Bool[np.ndarray, " frame"]
) -> tuple[float | None, float | None]:
    if c.coupling is None or c.reference_coupling is None or c.coupling.shape[1] == 0:
        return None, None
    known = rows & np.isfinite(c.reference_coupling).all((1, 2, 3))
    ours, theirs = c.coupling[known], c.reference_coupling[known]
    squares = float((theirs**2).sum())
    norms = np.sqrt((ours**2).sum((-1, -2)) * (theirs**2).sum((-1, -2)))
    dots = (ours * theirs).sum((-1, -2))
    meaningful = norms > 0
    r2 = 1.0 - float(((ours - theirs) ** 2).sum()) / squares if squares else None
    cosine = float((dots[meaningful] / norms[meaningful]).mean()) if meaningful.any() else None
    return r2, cosine


def dipole_errors(comparison: Comparison) -> dict[str, Any] | None:
    """Errors of transition dipoles over all frames where they are known, or None.

    Returns
    -------
    dict
        ``frames``; ``mean_error_e_bohr``, the mean of |μ − μ_ref|; ``r2`` as of couplings.
    """
    ours, theirs = comparison.dipoles, comparison.reference_dipoles
    if ours is None or theirs is None or theirs.shape[1] == 0:
        return None
    known = np.isfinite(theirs).all((1, 2))
    if not known.any():
        return None
    error, squares = ours[known] - theirs[known], float((theirs[known] ** 2).sum())
    return {
        "frames": int(known.sum()),
        "mean_error_e_bohr": float(np.linalg.norm(error, axis=-1).mean()),
        "r2": 1.0 - float((error**2).sum()) / squares if squares else None,
    }


def error_table(comparison: Comparison) -> dict[str, Any]:
    """All errors as plain JSON types.

    Returns
    -------
    dict
        ``frames``; ``states``: a list with ``energy_mae_mev`` and ``force_mae_mev_per_angstrom``
        (mean absolute error per Cartesian component); ``gap_mae_mev`` over all pairs;
        ``coupling_r2``, ``coupling_cosine``; ``bins``: the same for frames whose smallest
        reference gap lies in ``gap_ev`` = [lo, hi) (hi is None in the last); where model and
        labels have them, ``dipoles``: see :func:`dipole_errors`.
    """
    everything = np.ones(len(comparison.energies), dtype=bool)
    table = _errors(comparison, everything)
    bins = []
    if comparison.energies.shape[1] > 1:
        smallest = comparison.reference_gaps.min(1)
        for low, high in pairwise(GAP_BINS_EV):
            rows = (smallest >= low) & (smallest < high)
            edge = [low, high if np.isfinite(high) else None]
            bins.append({"gap_ev": edge, **_errors(comparison, rows)})
    dipoles = dipole_errors(comparison)
    return {**table, "bins": bins} | ({} if dipoles is None else {"dipoles": dipoles})

"""Harmonic normal modes of a minimum, with translations and rotations removed exactly.

The Hessian is mass-weighted and restricted to the orthogonal complement of the rigid motions, so
that no mode is ever contaminated by them and none needs to be picked out by its frequency. A linear
molecule has one rotation less, a single particle none; the rank of the rigid motions says so.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from namd.errors import DataError
from namd.units import HARTREE_PER_INVERSE_CM

_RANK_TOLERANCE = 1e-6
_STRAIGHT = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class NormalModes:
    """Vibrations about a stationary point.

    Parameters
    ----------
    positions
        The stationary point, Bohr.
    masses
        In electron masses.
    frequencies
        ω in Hartree (ħ = 1), ascending; an imaginary one is negative.
    vectors
        Orthonormal rows L in mass-weighted coordinates: √M ΔR = Σ_m q_m L_m.
    """

    positions: Float[np.ndarray, "atom 3"]
    masses: Float[np.ndarray, " atom"]
    frequencies: Float[np.ndarray, " mode"]
    vectors: Float[np.ndarray, "mode atom 3"]

    @property
    def wavenumbers(self) -> Float[np.ndarray, " mode"]:
        """Frequencies in cm⁻¹, imaginary ones negative."""
        return self.frequencies / HARTREE_PER_INVERSE_CM


def normal_modes(
    positions: Float[np.ndarray, "atom 3"],
    hessian: Float[np.ndarray, "coordinate coordinate"],
    masses: Float[np.ndarray, " atom"],
) -> NormalModes:
    """Diagonalise the mass-weighted Hessian in the space of pure vibrations.

    Parameters
    ----------
    positions
        Geometry of the stationary point, Bohr.
    hessian
        ∂²E/∂R∂R' flattened over (atom, xyz), Hartree/Bohr²; its antisymmetric part (noise of finite
        differences) is dropped.
    masses
        In electron masses.

    Raises
    ------
    DataError
        If the Hessian has the wrong shape, is not finite, or is far from symmetric.
    """
    size = positions.size
    if hessian.shape != (size, size) or not np.isfinite(hessian).all():
        raise DataError(
            f"expected {size} × {size} finite numbers, found shape {hessian.shape}",
            where="hessian",
            hint="flatten it over (atom, xyz) of the same atoms as the geometry",
        )
    if np.abs(hessian - hessian.T).max() > 0.05 * np.abs(hessian).max():
        raise DataError(
            "the matrix is not symmetric",
            where="hessian",
            hint="is it given in Hartree/Bohr², flattened over (atom, xyz)?",
        )
    root_mass = np.repeat(np.sqrt(masses), 3)
    weighted = 0.5 * (hessian + hessian.T) / np.outer(root_mass, root_mass)
    vibrations = _complement(rigid_motions(positions, masses))
    curvature, columns = np.linalg.eigh(vibrations.T @ weighted @ vibrations)
    vectors = (vibrations @ columns).T
    # A fixed sign, so that the same molecule gives the same sample with every LAPACK.
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], axis=1)
    vectors = vectors * np.sign(largest)
    return NormalModes(
        positions=positions,
        masses=masses,
        frequencies=np.sign(curvature) * np.sqrt(np.abs(curvature)),
        vectors=vectors.reshape(-1, *positions.shape),
    )


def oscillator_modes(
    positions: Float[np.ndarray, "atom 3"],
    hessian: Float[np.ndarray, "coordinate coordinate"],
    masses: Float[np.ndarray, " atom"],
) -> NormalModes:
    """Modes of a model's oscillators: all directions with a force constant, none projected out.

    A model particle is no molecule: its space has no rigid motions, but inert coordinates, whose
    force constant is zero.

    Parameters
    ----------
    positions
        Minimum of the oscillators, Bohr.
    hessian
        Of the model, symmetric and exact, Hartree/Bohr².
    masses
        In electron masses.
    """
    root_mass = np.repeat(np.sqrt(masses), 3)
    curvature, columns = np.linalg.eigh(hessian / np.outer(root_mass, root_mass))
    kept = curvature > _RANK_TOLERANCE**2 * curvature.max(initial=0.0)
    return NormalModes(
        positions=positions,
        masses=masses,
        frequencies=np.sqrt(curvature[kept]),
        vectors=columns.T[kept].reshape(-1, *positions.shape),
    )


def rigid_motions(
    positions: Float[np.ndarray, "atom 3"], masses: Float[np.ndarray, " atom"]
) -> Float[np.ndarray, "motion coordinate"]:
    """Orthonormal mass-weighted translations and rotations: 6, 5 (linear) or 3 (one particle).

    A molecule within :data:`_STRAIGHT` of its own length of a line is linear: what would turn it
    about its axis is the bend, and a minimum is never found more exactly than that.
    """
    root_mass = np.sqrt(masses)[:, None]
    centred = positions - (masses[:, None] * positions).sum(0) / masses.sum()
    axes = np.eye(3)
    motions = [np.broadcast_to(axis, positions.shape) * root_mass for axis in axes]
    motions += [np.cross(axis, centred) * root_mass for axis in axes]
    rows = np.stack(motions).reshape(6, -1)
    # Rotations have the size of the molecule: scale both kinds to be comparable in the rank test.
    extent = np.linalg.norm(rows[3:]) or 1.0
    rows[:3] /= np.linalg.norm(rows[:3])
    rows[3:] /= extent
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    return right[singular > _STRAIGHT]


def rigid_wavenumber(
    positions: Float[np.ndarray, "atom 3"],
    hessian: Float[np.ndarray, "coordinate coordinate"],
    masses: Float[np.ndarray, " atom"],
) -> float:
    """Largest absolute ω in cm⁻¹ that a Hessian gives to rigid motions; zero for an exact minimum.

    The projection makes the modes free of it. What is left here tells whether Hessian and geometry
    belong together: one of another orientation still has translations, but no rotations.
    """
    root_mass = np.repeat(np.sqrt(masses), 3)
    weighted = 0.5 * (hessian + hessian.T) / np.outer(root_mass, root_mass)
    rows = rigid_motions(positions, masses)
    curvature = np.linalg.eigvalsh(rows @ weighted @ rows.T)
    return float(np.sqrt(np.abs(curvature).max()) / HARTREE_PER_INVERSE_CM)


def _complement(
    rows: Float[np.ndarray, "motion coordinate"],
) -> Float[np.ndarray, "coordinate vibration"]:
    """Orthonormal columns spanning everything orthogonal to ``rows``."""
    _, _, right = np.linalg.svd(rows, full_matrices=True)
    return np.ascontiguousarray(right[len(rows) :].T)

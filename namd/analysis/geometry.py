"""Internal coordinates of many geometries at once.

Every function takes positions ``[..., atom, 3]`` and gives one value per geometry; lengths come in
the unit of the positions, angles in radians. A coordinate that is not defined (two of its atoms on
top of each other, a dihedral with three atoms in a line) is NaN, never an arbitrary number.
"""

import numpy as np
from jaxtyping import Float

_SMALL = 1e-10


def distance(
    positions: Float[np.ndarray, "*batch atom 3"], atoms: tuple[int, int]
) -> Float[np.ndarray, "*batch"]:
    """Distance |r_j − r_i| of atoms ``(i, j)``."""
    i, j = atoms
    return np.asarray(np.linalg.norm(positions[..., j, :] - positions[..., i, :], axis=-1))


def min_distance(
    positions: Float[np.ndarray, "*batch atom 3"], pairs: tuple[tuple[int, int], ...]
) -> Float[np.ndarray, "*batch"]:
    """Shortest distance among several ``pairs`` of atoms."""
    return np.asarray(np.min([distance(positions, pair) for pair in pairs], axis=0))


def angle(
    positions: Float[np.ndarray, "*batch atom 3"], atoms: tuple[int, int, int]
) -> Float[np.ndarray, "*batch"]:
    """Angle i–j–k at the middle atom, 0 … π.

    Computed as atan2(|a × b|, a·b), which keeps its digits near 0 and π where arccos loses them.
    """
    i, j, k = atoms
    a = positions[..., i, :] - positions[..., j, :]
    b = positions[..., k, :] - positions[..., j, :]
    sine = np.linalg.norm(np.cross(a, b), axis=-1)
    cosine = (a * b).sum(axis=-1)
    return np.where(np.hypot(sine, cosine) > _SMALL, np.arctan2(sine, cosine), np.nan)


def dihedral(
    positions: Float[np.ndarray, "*batch atom 3"], atoms: tuple[int, int, int, int]
) -> Float[np.ndarray, "*batch"]:
    """Signed dihedral angle i–j–k–l, −π … π; 0 is eclipsed (cis), ±π is trans.

    With b₁ = r_j − r_i, b₂ = r_k − r_j, b₃ = r_l − r_k::

        φ = atan2(|b₂| b₁·(b₂ × b₃), (b₁ × b₂)·(b₂ × b₃))

    positive if, seen along j → k, l lies clockwise of i (IUPAC). A mirror image has −φ.
    """
    r = [positions[..., atom, :] for atom in atoms]
    b1, b2, b3 = (r[n + 1] - r[n] for n in range(3))
    first, second = np.cross(b1, b2), np.cross(b2, b3)
    sine = np.linalg.norm(b2, axis=-1) * (b1 * second).sum(axis=-1)
    cosine = (first * second).sum(axis=-1)
    return np.where(np.hypot(sine, cosine) > _SMALL, np.arctan2(sine, cosine), np.nan)


def pyramidalisation(
    positions: Float[np.ndarray, "*batch atom 3"], centre: tuple[int, int, int, int]
) -> Float[np.ndarray, "*batch"]:
    """Unsigned angle of the bond a–c with the plane of c, i and j, 0 … π/2.

    ``centre`` is (c, a, i, j). With the normal n = (r_i − r_c) × (r_j − r_c) and the bond
    b = r_c − r_a the angle is atan2(|n·b|, |n × b|).
    """
    c, anchor, i, j = (positions[..., atom, :] for atom in centre)
    normal, bond = np.cross(i - c, j - c), c - anchor
    sine = np.abs((normal * bond).sum(axis=-1))
    cosine = np.linalg.norm(np.cross(normal, bond), axis=-1)
    return np.where(np.hypot(sine, cosine) > _SMALL, np.arctan2(sine, cosine), np.nan)

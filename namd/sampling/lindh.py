"""A Hessian guessed from a geometry alone, for the first step of a search.

Every pair, bend and torsion of atoms is a spring whose strength falls off with the distances of
neighbours in it, whether or not anybody would draw a bond there:

    H = Σ k_q ∇q ∇qᵀ,   k_r = 0.45 ρ_ij,  k_φ = 0.15 ρ_ij ρ_jk,  k_τ = 0.005 ρ_ij ρ_jk ρ_kl,
    ρ_ij = exp[α_ij (r²_ref,ij − r²_ij)]

with α and r_ref by rows of the periodic table (Lindh, Bernhardsson, Karlström, Malmqvist,
Chem. Phys. Lett. 241, 423 (1995), DOI 10.1016/0009-2614(95)00646-L). With it a quasi-Newton search
of a molecule takes a fraction of the steps that it takes from a multiple of the unit matrix.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Int

_STRETCH, _BEND, _TORSION = 0.45, 0.15, 0.005
_EXPONENTS = np.array([[1.0, 0.3949, 0.3949], [0.3949, 0.28, 0.28], [0.3949, 0.28, 0.28]])
_LENGTHS = np.array([[1.35, 2.10, 2.53], [2.10, 2.87, 3.40], [2.53, 3.40, 3.40]])
_NEGLIGIBLE = 1e-3
_STRAIGHT = 0.1
"""Sine of an angle below which the torsions about it say nothing."""


def lindh_hessian(
    atomic_numbers: Int[np.ndarray, " atom"], positions: Float[np.ndarray, "atom 3"]
) -> Float[np.ndarray, "coordinate coordinate"]:
    """The model Hessian of Lindh et al.

    Parameters
    ----------
    atomic_numbers, positions
        A geometry, Bohr.

    Returns
    -------
    numpy.ndarray
        Flattened over (atom, xyz), Hartree/Bohr²; symmetric, without curvature along rigid
        translations and rotations, nowhere negative.
    """
    rows = [
        _row(positions, atoms, strength)
        for atoms, strength in _springs(_nearness(atomic_numbers, positions))
    ]
    springs = np.reshape(rows, (len(rows), positions.size))
    return np.asarray(springs.T @ springs)


def _springs(
    near: Float[np.ndarray, "atom atom"],
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Atoms and strength of every stretch, bend and torsion."""
    neighbours = [np.flatnonzero(row > _NEGLIGIBLE).tolist() for row in near]
    for j, around in enumerate(neighbours):
        for k in around:
            if k > j:
                yield (j, k), _STRETCH * near[j, k]
        for i, k in combinations(around, 2):
            if (nearness := near[i, j] * near[j, k]) > _NEGLIGIBLE:
                yield (i, j, k), _BEND * nearness
        for k in around:
            if k > j:
                for i, m in product(around, neighbours[k]):
                    nearness = near[i, j] * near[j, k] * near[k, m]
                    if len({i, j, k, m}) == 4 and nearness > _NEGLIGIBLE:
                        yield (i, j, k, m), _TORSION * nearness


def _nearness(
    atomic_numbers: Int[np.ndarray, " atom"], positions: Float[np.ndarray, "atom 3"]
) -> Float[np.ndarray, "atom atom"]:
    """ρ of every pair; zero on the diagonal."""
    period = np.digitize(atomic_numbers, [3, 11])
    squares = ((positions[:, None] - positions) ** 2).sum(-1)
    exponents = _EXPONENTS[period[:, None], period]
    found = np.exp(exponents * (_LENGTHS[period[:, None], period] ** 2 - squares))
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def _row(
    positions: Float[np.ndarray, "atom 3"], atoms: tuple[int, ...], strength: float
) -> Float[np.ndarray, " coordinate"]:
    """√k ∇q of the stretch, bend or torsion of two, three or four atoms."""
    gradient = _GRADIENTS[len(atoms)](*positions[list(atoms)])
    row = np.zeros_like(positions)
    row[list(atoms)] = np.sqrt(strength) * gradient
    return row.ravel()


def _stretch(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    unit = (a - b) / np.linalg.norm(a - b)
    return np.stack([unit, -unit])


def _bend(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Of a straight angle: along the one direction in which it opens."""
    u, v = a - b, c - b
    p, q = np.linalg.norm(u), np.linalg.norm(v)
    u, v = u / p, v / q
    normal = np.cross(u, v)
    if np.linalg.norm(normal) < 1e-6:
        normal = np.cross(u, np.eye(3)[np.argmin(np.abs(u))])
    normal = normal / np.linalg.norm(normal)
    first, last = np.cross(u, normal) / p, np.cross(normal, v) / q
    return np.stack([first, -first - last, last])


def _torsion(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Nothing where three of the atoms are on a line."""
    axis, near, far = c - b, a - b, c - d
    length = np.linalg.norm(axis)
    first, second = np.cross(near, axis), np.cross(axis, far)
    sines = [
        np.linalg.norm(first) / (np.linalg.norm(near) * length),
        np.linalg.norm(second) / (np.linalg.norm(far) * length),
    ]
    if min(sines) < _STRAIGHT:
        return np.zeros((4, 3))
    outer, other = length * first / (first @ first), -length * second / (second @ second)
    along, back = near @ axis / length**2, far @ axis / length**2
    inner = (along - 1.0) * outer - back * other
    return np.stack([outer, inner, (back - 1.0) * other - along * outer, other])


_GRADIENTS: dict[int, Callable[..., np.ndarray]] = {2: _stretch, 3: _bend, 4: _torsion}

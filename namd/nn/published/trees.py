"""Coupling trees of ν equal legs: MACE's generalised Clebsch–Gordan coefficients (eq. 10, 11).

A tree couples ν legs from left to right, ((l1 l2)k l3)…; internal irreps k run over all (l, p) that
vertices allow, legs and output carry natural parity. With equal legs only the part symmetric under
their exchange counts, so that a tree is a polynomial: coefficients of the *monomials*
A_i A_j … (i ≤ j ≤ …) of the stacked components. Many trees are the same or linearly dependent
polynomials (ν = 3, l ≤ 3: 23 trees into 0e, 8 independent); the published networks keep a weight
for every tree, and so do we, but evaluate an orthonormal basis of what they span.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float

from namd.nn.linear import block, components
from namd.nn.published.convolution import clebsch_gordan

_Tree = tuple[int, int, np.ndarray]  # l, parity, coefficients [m, component, …]


def monomial_indices(size: int, degree: int) -> list[tuple[int, ...]]:
    """Index tuples i ≤ j ≤ … of all monomials, in lexicographic order."""
    return list(combinations_with_replacement(range(size), degree))


def coupling_trees(l_max: int, degree: int) -> list[_Tree]:
    """All left combs of ``degree`` legs of l ≤ ``l_max``, sorted by (l, parity) of the output.

    Within one output, trees are ordered by their last internal irrep, then by what is inside it,
    then by the last leg.
    """
    if degree == 1:
        return [
            (l, (-1) ** l, np.eye(components(l_max))[block(l)].astype(np.float64))
            for l in range(l_max + 1)
        ]
    return sorted(_grown(l_max, degree, highest=degree * l_max), key=lambda tree: tree[:2])


def _grown(l_max: int, degree: int, *, highest: int) -> Iterator[_Tree]:
    """Trees with outputs up to ``highest`` one by one, ordered within each output."""
    for left in coupling_trees(l_max, degree - 1):
        yield from _with_one_more(left, l_max, highest)


def _with_one_more(left: _Tree, l_max: int, highest: int) -> Iterator[_Tree]:
    k, parity, inner = left
    for l in range(l_max + 1):
        for output in range(abs(k - l), min(k + l, highest) + 1):
            vertex = _clebsch_gordan_array(k, l, output)
            grown = np.zeros((2 * output + 1, *inner.shape[1:], components(l_max)))
            grown[..., block(l)] = np.einsum("a...,abc->c...b", inner, vertex)
            yield output, parity * (-1) ** l, grown


@lru_cache
def _clebsch_gordan_array(l1: int, l2: int, l3: int) -> Float[np.ndarray, "first second third"]:
    array: np.ndarray = clebsch_gordan(l1, l2, l3).numpy()
    return array


@lru_cache
def symmetric_trees(l_max: int, degree: int) -> tuple[Float[np.ndarray, "m monomial tree"], ...]:
    """Trees of equal legs as polynomials, for every natural-parity output l ≤ ``l_max``.

    Returns
    -------
    tuple of array
        For l = 0 … ``l_max``: coefficient of each monomial in each component of each tree.
    """
    size = components(l_max)
    indices = monomial_indices(size, degree)
    position = {monomial: n for n, monomial in enumerate(indices)}
    of_entry = np.array([position[tuple(sorted(i))] for i in np.ndindex(*[size] * degree)])
    by_l: list[list[np.ndarray]] = [[] for _ in range(l_max + 1)]
    # One tree in memory at a time: together they would be some hundred megabytes.
    trees = coupling_trees(l_max, 1) if degree == 1 else _grown(l_max, degree, highest=l_max)
    for l, parity, tree in trees:
        if parity == (-1) ** l:
            flat = tree.reshape(2 * l + 1, -1)
            rows = [np.bincount(of_entry, weights=row, minlength=len(indices)) for row in flat]
            by_l[l].append(np.array(rows))
    return tuple(np.stack(polynomials, axis=-1) for polynomials in by_l)


@lru_cache
def independent_basis(
    l_max: int, degree: int, output_l: int
) -> tuple[Float[np.ndarray, "m monomial rank"], Float[np.ndarray, "rank tree"]]:
    """Orthonormal basis of the trees' polynomials, and the trees in that basis.

    Their product along ``rank`` is :func:`symmetric_trees` for ``output_l``.
    """
    trees = symmetric_trees(l_max, degree)[output_l]
    flat = trees.reshape(-1, trees.shape[-1])
    left, singular, _ = np.linalg.svd(flat, full_matrices=False)
    basis = left[:, singular > 1e-9 * singular[0]]
    return basis.reshape(*trees.shape[:2], -1), basis.T @ flat

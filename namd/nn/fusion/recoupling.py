"""Recoupling: the same map drawn as another tree (F-moves).

    ((l1 l2)j12 l3)J = Σ_j23 F[j12, j23] (l1 (l2 l3)j23)J

F is the overlap of both couplings, computed from the real Clebsch–Gordan tensors, so that it fits
their signs. Its magnitude is √((2 j12 + 1)(2 j23 + 1)) |{l1 l2 j12; l3 J j23}| with Wigner's
6j symbol (Edmonds, Angular Momentum in Quantum Mechanics, eq. 6.1.5); it is orthogonal.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from namd.errors import ConfigError
from namd.nn.fusion.contraction import require_elementary
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep
from namd.nn.fusion.paths import clebsch_gordan
from namd.nn.fusion.tree import Leg, Tree, Vertex


@dataclass(frozen=True, eq=False)
class FMatrix:
    """F with the spins of its rows (j12) and columns (j23)."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    values: Float[np.ndarray, "row column"]


@lru_cache(maxsize=4096)
def f_matrix(l1: int, l2: int, l3: int, total: int) -> FMatrix:
    """F of ((l1 l2)j12 l3)J → (l1 (l2 l3)j23)J with J = ``total``; square and orthogonal."""
    rows = _between(_span(l1, l2), _span(l3, total))
    columns = _between(_span(l2, l3), _span(l1, total))
    values = np.empty((len(rows), len(columns)))
    for row, j12 in enumerate(rows):
        left = np.einsum(
            "abx,xcd->abcd", clebsch_gordan(l1, l2, j12), clebsch_gordan(j12, l3, total)
        )
        for column, j23 in enumerate(columns):
            right = np.einsum(
                "bcx,axd->abcd", clebsch_gordan(l2, l3, j23), clebsch_gordan(l1, j23, total)
            )
            values[row, column] = (left * right).sum() / (2 * total + 1)
    return FMatrix(rows, columns, values)


def _span(one: int, two: int) -> range:
    return range(abs(one - two), one + two + 1)


def _between(one: range, two: range) -> tuple[int, ...]:
    return tuple(l for l in one if l in two)


def f_move(diagram: FusionDiagram) -> dict[FusionDiagram, float]:
    """Write ((a b)k c)J as a sum over (a (b c)k')J; a, b and c may be trees themselves.

    Returns
    -------
    dict
        Coefficient of every diagram; zeros are left out.

    Raises
    ------
    ConfigError
        If the diagram is not elementary or its root's left edge is a leg.
    """
    require_elementary(diagram)
    root = diagram.root
    if isinstance(root, Leg) or isinstance(root.left, Leg):
        raise ConfigError(
            "an F-move needs a root of the form ((a b)k c)J",
            where=f"diagram {diagram}",
            hint="a right comb needs none",
        )
    return {FusionDiagram(tree): value for tree, value in _move(root, root.left).items()}


def _move(root: Vertex, left: Vertex) -> dict[Tree, float]:
    """F-move of ``root``, whose left edge is the vertex ``left``."""
    a, b, c = left.left, left.right, root.right
    (one, two, three, k, total) = (edge.irreps[0] for edge in (a, b, c, left, root))
    f = f_matrix(one.l, two.l, three.l, total.l)
    row = f.values[f.rows.index(k.l)]
    parity = two.parity * three.parity
    return {
        Vertex(a, Vertex(b, c, (Irrep(l, parity),)), root.irreps): float(value)
        for l, value in zip(f.columns, row, strict=True)
        if abs(value) > 1e-14
    }


def right_combs(diagram: FusionDiagram) -> dict[FusionDiagram, float]:
    """Write an elementary diagram of any shape as a sum of right combs a (b (c …)).

    Returns
    -------
    dict
        Coefficient of every right comb. The squares sum to one.

    Raises
    ------
    ConfigError
        If the diagram is not elementary.
    """
    require_elementary(diagram)
    return {FusionDiagram(tree): value for tree, value in _right(diagram.root).items()}


def _right(tree: Tree) -> dict[Tree, float]:
    if isinstance(tree, Leg):
        return {tree: 1.0}
    sums: dict[Tree, float] = {}
    if isinstance(tree.left, Leg):
        for right, value in _right(tree.right).items():
            sums[Vertex(tree.left, right, tree.irreps)] = value
        return sums
    for moved, factor in _move(tree, tree.left).items():
        for comb, value in _right(moved).items():
            sums[comb] = sums.get(comb, 0.0) + factor * value
    return sums

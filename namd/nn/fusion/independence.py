"""Pruning: diagrams over identical legs are redundant; keep an independent set.

Legs of one name carry the same feature. Exchanging them changes the tree but not what it can
express, so that only the coupling symmetrised over them counts: of the 11 ways to make a scalar of
three copies of 0e+1o+2e, five are independent.

The counts of the literature (11 trees and 5 independent for 0e, 21 and 5 for 1o, 23 and 6 for 2e)
hold for left combs whose legs are natural-parity irreps l ≤ 2 of one feature and whose internal
spins are *all* that the vertices allow, of either parity and of any l.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import permutations

import numpy as np
from jaxtyping import Float

from namd.nn.fusion.contraction import coupling_tensor
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.tree import Leg

_TOLERANCE = 1e-9  # of unit vectors; the overlaps are algebraic numbers of order one or exactly 0


def independent(diagrams: Iterable[FusionDiagram]) -> tuple[FusionDiagram, ...]:
    """The first diagrams of a sequence that span what all of them span.

    Parameters
    ----------
    diagrams
        Elementary; legs of equal name are one feature.

    Returns
    -------
    tuple
        A subsequence whose symmetrised couplings are linearly independent. Couplings that the
        symmetry annuls, such as (A:1o A:1o)1e, are not in it.

    Raises
    ------
    ConfigError
        If a diagram is not elementary.
    """
    bases: dict[tuple[object, ...], list[np.ndarray]] = defaultdict(list)
    kept = []
    for diagram in diagrams:
        order = sorted(range(len(diagram.legs)), key=lambda n: str(diagram.legs[n]))
        legs = tuple(diagram.legs[n] for n in order)
        tensor = symmetrised(coupling_tensor(diagram).transpose(*order, len(order)), legs)
        basis = bases[legs, diagram.output]
        rest = tensor.ravel() / np.sqrt(diagram.output[0].dimension)
        for _ in range(2):  # Gram–Schmidt, twice to lose no digits
            for vector in basis:
                rest = rest - (rest @ vector) * vector
        if np.linalg.norm(rest) > _TOLERANCE:
            basis.append(rest / np.linalg.norm(rest))
            kept.append(diagram)
    return tuple(kept)


def symmetrised(
    tensor: Float[np.ndarray, "*legs component"], legs: tuple[Leg, ...]
) -> Float[np.ndarray, "*legs component"]:
    """Mean of a coupling over all exchanges of equal legs (equal name and irrep)."""
    last = len(legs)
    equal = [p for p in permutations(range(last)) if tuple(legs[n] for n in p) == legs]
    total = sum(tensor.transpose(*p, last) for p in equal)
    return np.asarray(total / len(equal))

"""All elementary fusion diagrams that given legs allow."""

from collections.abc import Iterator, Sequence
from typing import Literal

from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irreps
from namd.nn.fusion.tree import Leg, Tree, Vertex

Shape = Literal["left", "right", "all"]


def enumerate_diagrams(
    legs: Sequence[Leg], *, output: Irreps, internal: Irreps | None = None, shape: Shape = "left"
) -> tuple[FusionDiagram, ...]:
    """Every elementary diagram with these legs in this order.

    Parameters
    ----------
    legs
        With one or several irreps each; equal names mean the same feature.
    output
        Irreps wanted.
    internal
        Irreps that internal edges may carry; any if None, of either parity.
    shape
        ``left`` combs ((a b) c) d, ``right`` combs a (b (c d)), or ``all`` bracketings.

    Examples
    --------
    Three copies of a feature 0e+1o+2e couple to a scalar in 11 ways:

    >>> from namd.nn.fusion.irreps import natural_irreps
    >>> legs = [Leg("A", natural_irreps(2))] * 3
    >>> len(enumerate_diagrams(legs, output=natural_irreps(0)))
    11
    """
    return tuple(
        FusionDiagram(tree)
        for tree in _trees(tuple(legs), shape, internal, wanted=output)
        if tree.irreps[0] in output
    )


def _trees(
    legs: tuple[Leg, ...], shape: Shape, internal: Irreps | None, *, wanted: Irreps | None
) -> Iterator[Tree]:
    """Elementary trees over ``legs`` whose outgoing edge carries one of ``wanted`` (None: any)."""
    if len(legs) == 1:
        yield from (Leg(legs[0].name, (irrep,)) for irrep in legs[0].irreps)
        return
    cuts = {"left": [len(legs) - 1], "right": [1], "all": range(1, len(legs))}[shape]
    for cut in cuts:
        for left in _trees(legs[:cut], shape, internal, wanted=internal):
            for right in _trees(legs[cut:], shape, internal, wanted=internal):
                for irrep in left.irreps[0] * right.irreps[0]:
                    if wanted is None or irrep in wanted:
                        yield Vertex(left, right, (irrep,))

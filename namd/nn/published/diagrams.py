"""The products of the published networks as fusion diagrams.

Legs: i the feature of an atom, j that of its neighbour, Y the harmonics between them, A what the
convolution (and fusion block) gathers at an atom. The sum over neighbours and the channels are no
part of a diagram.
"""

from collections.abc import Sequence

from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irreps, canonical, natural_irreps
from namd.nn.fusion.tree import Leg, Tree, Vertex


def convolution_diagram(*, feature_l: int, harmonic_l: int, output_l: int) -> FusionDiagram:
    """Neighbours carried over by harmonics: (j Y)."""
    j, y = Leg("j", natural_irreps(feature_l)), Leg("Y", natural_irreps(harmonic_l))
    return FusionDiagram(Vertex(j, y, natural_irreps(min(output_l, feature_l + harmonic_l))))


def square_diagram(*, feature_l: int, output_l: int) -> FusionDiagram:
    """A feature times itself: (i i)."""
    i = Leg("i", natural_irreps(feature_l))
    return FusionDiagram(Vertex(i, i, natural_irreps(min(output_l, 2 * feature_l))))


def three_leg_diagrams(
    spins: Sequence[Irreps], *, feature_l: int, harmonic_l: int, output_l: int
) -> tuple[FusionDiagram, ...]:
    """The fusion block: one ((i j)k Y)J for each of some choices of internal irreps k."""
    i, j = (Leg(name, natural_irreps(feature_l)) for name in ("i", "j"))
    y, wanted = Leg("Y", natural_irreps(harmonic_l)), natural_irreps(output_l)
    return tuple(
        FusionDiagram(Vertex(Vertex(i, j, internal), y, _reaching(internal, y.irreps, wanted)))
        for internal in spins
    )


def contraction_diagrams(*, input_l: int, output_l: int, degree: int) -> tuple[FusionDiagram, ...]:
    """The symmetric contraction: left combs A, (A A), ((A A) A) with all internal irreps."""
    leg = Leg("A", natural_irreps(input_l))
    return tuple(_comb(leg, natural_irreps(output_l), legs) for legs in range(1, degree + 1))


def _comb(leg: Leg, output: Irreps, legs: int) -> FusionDiagram:
    """A left comb of equal legs; its internal edges carry all that leads to the output."""
    if legs == 1:
        return FusionDiagram(Leg(leg.name, output))
    reached = [leg.irreps]
    for _ in range(legs - 2):
        reached.append(
            canonical([k for one in reached[-1] for two in leg.irreps for k in one * two])
        )
    edges = [output]
    for irreps in reversed(reached[1:]):
        edges.append(tuple(k for k in irreps if _reaching((k,), leg.irreps, edges[-1])))
    tree: Tree = leg
    for irreps in reversed(edges):
        tree = Vertex(tree, leg, irreps)
    return FusionDiagram(tree)


def _reaching(one: Irreps, two: Irreps, wanted: Irreps) -> Irreps:
    """Those of the irreps wanted that two edges can couple to."""
    found = {k for left in one for right in two for k in left * right}
    return tuple(k for k in wanted if k in found)

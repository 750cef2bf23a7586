"""The published three-leg blocks against the general one, which compiles any set of diagrams.

:class:`FusionBlock` normalises nothing but its Clebsch–Gordan tensors and uses its weights as they
are. With the diagrams of these blocks, and their weights as below, it gives the same numbers.

Sparse: weight 1/√(vertices into k) for a path into k, 1/√(diagrams into J) for one into J; mix
W_J/√channels for every diagram into J, the same for all k. Dense: blocks of the mixes, W/√(rows of
W); copy n of an irrep k is that of the tuple (0 … k + n).

Either: R(r_ij) stands at the leg Y, and legs are mixed before. The evaluations over neighbours
have R at j, which is the same only if it is common to all l and, dense, to all channels: these are
mixed between j and Y.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
import torch
from torch import Tensor

from namd.nn.fusion.block import CompiledTree, DenseVertex, FusionBlock, Mode
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep, natural_irreps
from namd.nn.fusion.neighbours import Edges as DirectedEdges
from namd.nn.fusion.neighbours import NodewiseFusion, edgewise
from namd.nn.fusion.product import ClebschGordanProduct
from namd.nn.fusion.tree import Leg, Vertex
from namd.nn.published.edges import EdgeBasis, Edges
from namd.nn.published.maps import parts
from namd.nn.published.three_leg import DenseFusion, SparseFusion, internal_edges
from tests.unit.nn.conftest import geometries

ATOMS, L, C, RADIAL = 6, 2, 3, 4
SIZES = {"feature_l": L, "harmonic_l": L, "output_l": L, "internal_l": L}
ALL = "0e+1o+2e"
DRAWN = {  # root i, neighbour j; unnatural spins lead to no scalar
    "sparse": (
        f"((i:{ALL} j:{ALL})0e Y:{ALL}){ALL}",
        f"((i:{ALL} j:{ALL})1o Y:{ALL}){ALL}",
        f"((i:{ALL} j:{ALL})1e Y:{ALL})1o+2e",
        f"((i:{ALL} j:{ALL})2e Y:{ALL}){ALL}",
        f"((i:{ALL} j:{ALL})2o Y:{ALL})1o+2e",
    ),
    "dense": (
        f"((i:{ALL} j:{ALL})0e Y:{ALL}){ALL}",
        f"((i:{ALL} j:{ALL})0e+1o+1e Y:{ALL}){ALL}",
        f"((i:{ALL} j:{ALL})0e+1o+1e+2e+2o Y:{ALL}){ALL}",
    ),
}
MODES = pytest.mark.parametrize("mode", ["sparse", "dense"])
Fusion = SparseFusion | DenseFusion
Evaluate = Callable[[Tensor, Tensor], Tensor]


def random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def block_of(diagrams: Sequence[FusionDiagram], mode: Mode) -> FusionBlock:
    return FusionBlock(diagrams, channels=C, outputs=C, mode=mode).double()


def by_node(feature: Tensor) -> Tensor:
    """From [molecule, atom, component, channel] to [component, node, channel]."""
    return feature.flatten(0, 1).transpose(0, 1)


def scaled(weight: Tensor) -> Tensor:
    """As the published networks use their weights."""
    return weight.detach() / math.sqrt(len(weight))


def natural(l: int) -> Irrep:
    return natural_irreps(l)[l]


@dataclass(frozen=True, slots=True)
class Rows:
    """Every edge within the cut-off, its two nodes and what it carries."""

    edges: Edges
    centre: Tensor
    neighbour: Tensor
    harmonics: Tensor  # [component, row]
    waves: Tensor  # [row, radial]


def rows_of(positions: Tensor) -> Rows:
    basis = EdgeBasis(cutoff=2.2, radial=RADIAL, l_max=L, envelope_order=5, atoms=ATOMS).double()
    edges: Edges = basis(positions)
    molecule, i, j = torch.nonzero(edges.within, as_tuple=True)
    assert 0 < len(molecule) < len(positions) * ATOMS * (ATOMS - 1)
    return Rows(
        edges=edges,
        centre=molecule * ATOMS + i,
        neighbour=molecule * ATOMS + j,
        harmonics=edges.harmonics[molecule, i, j].T,
        waves=edges.waves[molecule, edges.pair[i, j]],
    )


def make(mode: Mode) -> Fusion:
    torch.manual_seed(5)
    kind = SparseFusion if mode == "sparse" else DenseFusion
    return kind(**SIZES, channels=C, radial=RADIAL).double()


def legs_of(layer: Fusion, feature: Tensor) -> tuple[Tensor, Tensor]:
    """Mixed features of root and neighbour, by node."""
    if isinstance(layer, SparseFusion):
        legs = by_node(layer.legs(parts(feature)))
        return legs, legs
    return by_node(layer.roots(parts(feature))), by_node(layer.neighbours(parts(feature)))


def blocks(numbers: Tensor) -> list[Tensor]:
    """Side by side, ``C`` columns each."""
    return list(torch.split(numbers, C, dim=-1))


def harmonic_leg(harmonics: Tensor, radial: Sequence[Tensor]) -> Tensor:
    """Y with its radial function of every l, [component, row, channel]."""
    of_component = [radial[l] for l in range(L + 1) for _ in range(2 * l + 1)]
    return harmonics[..., None] * torch.stack(of_component)


def copy_sparse(layer: SparseFusion, block: FusionBlock) -> None:
    """One diagram per internal irrep; paths weighted by their number."""
    outputs = Counter(tree.stack[q].l for tree in block.compiled for q in ends(tree))
    for tree in block.compiled:
        inner, outer = tree.products
        assert isinstance(inner, ClebschGordanProduct)
        assert isinstance(outer, ClebschGordanProduct)
        inner.weight.fill_(len(inner.table.paths) ** -0.5)
        for path, q in enumerate(ends(tree)):
            outer.weight[path] = outputs[tree.stack[q].l] ** -0.5
    for position, irrep in enumerate(block.mix.irreps):
        block.mix.block(position).copy_(scaled(layer.mix.weights[irrep.l]))


def ends(tree: CompiledTree) -> list[int]:
    """Position in its stack of what every path of the last vertex leads to."""
    return [q for *_, q in tree.products[-1].table.paths]


class DenseWeights:
    """The weights of a dense block by what they stand for.

    Attributes
    ----------
    entering
        Mix of (i, j) into k for tuple t, by (l1, l2, k, t).
    leaving
        Mix of (k, Y) into J, by (k, l, J, t).
    radial
        Number of the block of ``C`` radial functions, by (k, l, J, t).
    """

    def __init__(self, layer: DenseFusion) -> None:
        self.entering: dict[tuple[Irrep, int, int, int], Tensor] = {}
        self.leaving: dict[tuple[Irrep, int, int, int], Tensor] = {}
        self.radial: dict[tuple[Irrep, int, int, int], int] = {}
        into: Counter[int] = Counter()
        for edge, mix in zip(internal_edges(**SIZES), layer.internal, strict=True):
            copies = range(edge.l, L + 1)
            (weight,) = mix.get_submodule("weights").parameters()
            columns = blocks(scaled(weight))
            assert len(columns) == len(copies)
            for t, column in zip(copies, columns, strict=True):
                for (l1, l2), rows in zip(edge.incoming, torch.split(column, C), strict=True):
                    self.entering[edge.irrep, l1, l2, t] = rows
            for (l, J), t in product(edge.outgoing, copies):
                key = (edge.irrep, l, J, t)
                self.leaving[key] = torch.split(scaled(layer.mix.weights[J]), C)[into[J]]
                self.radial[key] = len(self.radial)
                into[J] += 1
        assert [into[J] * C for J in range(L + 1)] == [len(w) for w in layer.mix.weights]


def copy_dense(weights: DenseWeights, block: FusionBlock, tuples: Sequence[int]) -> None:
    """``tuples``: number of the tuple that every diagram of the block belongs to."""
    start = 0
    for tree, t in zip(block.compiled, tuples, strict=True):
        inner, outer = tree.products
        assert isinstance(inner, DenseVertex)
        i, j, y = (leg.irreps for leg in tree.diagram.legs)
        for path, (one, two, _) in enumerate(inner.table.paths):
            key = (inner.mix.irreps[path], i[one].l, j[two].l, t)
            inner.mix.block(path).copy_(weights.entering[key])
        for number, (spin, m, _) in enumerate(outer.table.paths):
            key = (tree.diagram.internal[0][spin], y[m].l, tree.stack[number].l, t)
            block.mix.block(start + number).copy_(weights.leaving[key])
        start += len(tree.stack)


def share_radial(layer: DenseFusion) -> None:
    """Give all diagrams the same radial functions, one per channel and l of Y."""
    weight = layer.radial.weights[1]
    base = blocks(random(len(weight), (L + 1) * C, seed=6))
    columns = [base[l] for _, l, *_ in DenseWeights(layer).radial]
    with torch.no_grad():
        weight.copy_(torch.cat(columns, dim=-1))


def share_radial_further(layer: Fusion) -> None:
    """Give all l the same radial functions; dense: all channels, too."""
    weight = layer.radial.weights[1]
    width = C if isinstance(layer, SparseFusion) else 1
    base = random(len(weight), width, seed=6)
    with torch.no_grad():
        weight.copy_(base.repeat(1, weight.shape[1] // width))


def compiled(layer: Fusion) -> FusionBlock:
    """The diagrams of a layer, with its weights."""
    mode: Mode = "sparse" if isinstance(layer, SparseFusion) else "dense"
    block = block_of([FusionDiagram.parse(text) for text in DRAWN[mode]], mode)
    assert block.diagrams == layer.diagrams
    with torch.no_grad():
        if isinstance(layer, SparseFusion):
            copy_sparse(layer, block)
        else:
            copy_dense(DenseWeights(layer), block, range(len(layer.diagrams)))
    assert block.irreps == natural_irreps(L)
    return block


def agree(layer: Fusion, *others: Evaluate) -> None:
    """Values at all nodes, and gradients with respect to positions and features."""
    found = []
    for evaluate in (lambda r, f: by_node(layer(f, rows_of(r).edges)), *others):
        leaves = [geometries(2).requires_grad_(), random(2, ATOMS, 9, C, seed=1).requires_grad_()]
        value = evaluate(*leaves)
        gradients = torch.autograd.grad(value, leaves, random(*value.shape, seed=2))
        found.append((value.detach(), *gradients))
    expected, *compared = found
    assert all(tensor.abs().max() > 0.2 for tensor in expected)
    for values in compared:
        for one, two in zip(values, expected, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)


def first_radial(layer: Fusion, waves: Tensor) -> list[Tensor]:
    """Radial functions of every l of Y where all diagrams share them."""
    radial = blocks(layer.radial(waves))
    if isinstance(layer, SparseFusion):
        return radial
    numbers = {l: n for (_, l, *_), n in DenseWeights(layer).radial.items()}
    return [radial[numbers[l]] for l in range(L + 1)]


@MODES
def test_a_three_leg_block_is_the_fusion_block_of_its_diagrams(mode: Mode) -> None:
    """Dense: with radial functions that depend on the l of Y alone, as those of a leg do."""
    layer = make(mode)
    if isinstance(layer, DenseFusion):
        share_radial(layer)
    block = compiled(layer)

    def of_diagrams(positions: Tensor, feature: Tensor) -> Tensor:
        rows, (root, neighbour) = rows_of(positions), legs_of(layer, feature)
        legs = {
            "i": root[:, rows.centre],
            "j": neighbour[:, rows.neighbour],
            "Y": harmonic_leg(rows.harmonics, first_radial(layer, rows.waves)),
        }
        value: Tensor = block(legs, centre=rows.centre, nodes=root.shape[1])
        return value

    agree(layer, of_diagrams)


def test_a_dense_block_is_a_fusion_block_with_harmonics_of_its_own_for_every_diagram() -> None:
    """As published: every diagram has radial functions of its own, here at a leg of its own."""
    layer = make("dense")
    assert isinstance(layer, DenseFusion)
    weights = DenseWeights(layer)
    i, j = (Leg(name, natural_irreps(L)) for name in "ij")
    diagrams = [
        FusionDiagram(Vertex(Vertex(i, j, (k,)), Leg(f"Y{n}", (natural(l),)), (natural(J),)))
        for (k, l, J, _), n in weights.radial.items()
    ]
    block = block_of(diagrams, "dense")
    with torch.no_grad():
        copy_dense(weights, block, [t for *_, t in weights.radial])

    def of_diagrams(positions: Tensor, feature: Tensor) -> Tensor:
        rows, (root, neighbour) = rows_of(positions), legs_of(layer, feature)
        radial = blocks(layer.radial(rows.waves))
        legs = {"i": root[:, rows.centre], "j": neighbour[:, rows.neighbour]}
        for (_, l, *_), n in weights.radial.items():
            legs[f"Y{n}"] = rows.harmonics[l * l : (l + 1) ** 2, :, None] * radial[n]
        value: Tensor = block(legs, centre=rows.centre, nodes=root.shape[1])
        return value

    agree(layer, of_diagrams)


@MODES
def test_a_three_leg_block_is_both_evaluations_over_neighbours(mode: Mode) -> None:
    """Edge-wise and, recoupled, node-wise; their edges carry the radial function."""
    layer = make(mode)
    share_radial_further(layer)
    block = compiled(layer)
    nodewise = NodewiseFusion(block).double()

    def given(positions: Tensor, feature: Tensor) -> tuple[Tensor, Tensor, DirectedEdges]:
        rows = rows_of(positions)
        edges = DirectedEdges(
            centre=rows.centre,
            neighbour=rows.neighbour,
            harmonics=rows.harmonics,
            radial=blocks(layer.radial(rows.waves))[0],
        )
        return *legs_of(layer, feature), edges

    def by_edge(positions: Tensor, feature: Tensor) -> Tensor:
        root, neighbour, edges = given(positions, feature)
        return edgewise(block, root=root, neighbour=neighbour, edges=edges)

    def node_by_node(positions: Tensor, feature: Tensor) -> Tensor:
        root, neighbour, edges = given(positions, feature)
        value: Tensor = nodewise(root=root, neighbour=neighbour, edges=edges)
        return value

    agree(layer, by_edge, node_by_node)

"""Compiled blocks: against the reference, symmetric, edge-wise equal to node-wise, costed."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.linalg import block_diag
from torch.utils.flop_counter import FlopCounterMode

from namd.errors import ConfigError
from namd.nn.fusion.block import FusionBlock, Mode
from namd.nn.fusion.contraction import contract
from namd.nn.fusion.cost import cost, edgewise_cost, nodewise_cost
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep, Irreps, dimension, natural_irreps, offsets
from namd.nn.fusion.neighbours import Edges, NodewiseFusion, edgewise
from namd.nn.fusion.paths import clebsch_gordan, irreps_table
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts
from namd.nn.fusion.recoupling import f_matrix

NODES, CHANNELS, OUTPUTS = 5, 3, 4
MODES = pytest.mark.parametrize("mode", ["sparse", "dense"])
THREE_LEGS = (
    "((i:0e+1o+2e j:0e+1o+2e)0e+1o+2e Y:0e+1o+2e)0e+1o+2e",  # natural parity only
    "((i:0e+1o j:1o+2e)1o+1e+2o Y:1o+2e)0o+1o+1e+2o",  # both parities
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def make_block(*texts: str, mode: Mode) -> FusionBlock:
    diagrams = [FusionDiagram.parse(text) for text in texts]
    torch.manual_seed(7)
    return FusionBlock(diagrams, channels=CHANNELS, outputs=OUTPUTS, mode=mode).double()


def all_pairs(block: FusionBlock, nodes: int = NODES) -> tuple[torch.Tensor, torch.Tensor, Edges]:
    """Root and neighbour features and the edges between all nodes."""
    root, neighbour, edge = block.legs.values()
    centre, other = torch.nonzero(~torch.eye(nodes, dtype=torch.bool), as_tuple=True)
    edges = Edges(
        centre=centre,
        neighbour=other,
        harmonics=random(dimension(edge), len(centre), seed=1),
        radial=random(len(centre), CHANNELS, seed=2),
    )
    features = (
        random(dimension(i), nodes, CHANNELS, seed=3 + n) for n, i in enumerate((root, neighbour))
    )
    return next(features), next(features), edges


def split(feature: torch.Tensor, name: str, irreps: Irreps) -> dict[tuple[str, Irrep], object]:
    """A stacked feature as the reference evaluation wants it, components last."""
    return {
        (name, irrep): feature[start : start + irrep.dimension].movedim(0, -1).numpy()
        for irrep, start in zip(irreps, offsets(irreps), strict=True)
    }


@MODES
@pytest.mark.parametrize("texts", [*[(text,) for text in THREE_LEGS], THREE_LEGS[:1] * 2])
def test_block_is_the_weighted_sum_of_its_elementary_diagrams(
    texts: tuple[str, ...], mode: Mode
) -> None:
    """Weights set to one number per channel pair by hand, and every diagram contracted alone."""
    block = make_block(*texts, mode=mode)
    root, neighbour, edges = all_pairs(block)
    rows = {
        "i": root[:, edges.centre],
        "j": neighbour[:, edges.neighbour] * edges.radial,
        "Y": edges.harmonics[..., None].expand(-1, -1, CHANNELS),
    }
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            # Unit products and unit mixes: every elementary diagram and channel counts once.
            eye = "mix" in name and "vertices" in name
            parameter.copy_(_unit(parameter) if eye else torch.ones_like(parameter))
    ours = block(rows, centre=edges.centre, nodes=NODES).detach()
    features = {k: v for name in rows for k, v in split(rows[name], name, block.legs[name]).items()}
    expected = torch.zeros_like(ours)
    starts = dict(zip(block.irreps, offsets(block.irreps), strict=True))
    for diagram in block.diagrams:
        for part in diagram.elementary_diagrams():
            value = torch.from_numpy(contract(part, features)).movedim(-1, 0)
            summed = torch.zeros(len(value), NODES, dtype=value.dtype)
            summed.index_add_(1, edges.centre, value.sum(-1))
            start = starts[part.output[0]]
            expected[start : start + len(value)] += summed[..., None]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)


def _unit(matrix: torch.Tensor) -> torch.Tensor:
    """Identity blocks under each other: the sum over paths, channel by channel."""
    return torch.eye(matrix.shape[1], dtype=matrix.dtype).repeat(len(matrix) // matrix.shape[1], 1)


@MODES
@pytest.mark.parametrize("texts", [*[(text,) for text in THREE_LEGS], THREE_LEGS])
def test_edgewise_and_nodewise_evaluation_are_equal(texts: tuple[str, ...], mode: Mode) -> None:
    block = make_block(*texts, mode=mode)
    root, neighbour, edges = all_pairs(block)
    by_edge = edgewise(block, root=root, neighbour=neighbour, edges=edges)
    by_node = NodewiseFusion(block)(root=root, neighbour=neighbour, edges=edges)
    assert by_edge.abs().max() > 1
    torch.testing.assert_close(by_node, by_edge, rtol=0, atol=1e-10)


@MODES
def test_gradients_of_both_evaluations_are_equal(mode: Mode) -> None:
    block = make_block(THREE_LEGS[1], mode=mode)
    root, neighbour, edges = all_pairs(block)
    leaves = [root.requires_grad_(), neighbour.requires_grad_(), *block.parameters()]
    evaluations = (
        edgewise(block, root=root, neighbour=neighbour, edges=edges),
        NodewiseFusion(block)(root=root, neighbour=neighbour, edges=edges),
    )
    cotangent = random(*evaluations[0].shape, seed=9)
    first, second = (torch.autograd.grad(out, leaves, cotangent) for out in evaluations)
    assert all(gradient.abs().max() > 0 for gradient in first)
    for one, two in zip(first, second, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-9)


@MODES
@pytest.mark.parametrize("inverted", [False, True])
def test_block_is_equivariant(
    wigner: Callable[..., np.ndarray], mode: Mode, inverted: bool
) -> None:
    text = "(((a:0e+1o b:1o)1o+1e+2e c:0e+2e)1o+1e+2o (d:1o e:2o)1e+2e)0o+1o+1e"
    block = make_block(text, mode=mode)

    def turned(feature: torch.Tensor, irreps: Irreps) -> torch.Tensor:
        blocks = [wigner(irrep, (0.3, 1.1, -2.0), inverted=inverted) for irrep in irreps]
        return torch.tensordot(torch.from_numpy(block_diag(*blocks)), feature, dims=1)

    legs = {name: random(dimension(i), 6, CHANNELS, seed=i[0].l) for name, i in block.legs.items()}
    after = block({name: turned(leg, block.legs[name]) for name, leg in legs.items()})
    expected = turned(block(legs), block.irreps)
    assert expected.abs().max() > 0.1
    # The matrix exponentials behind e3nn's rotations are good to 1e-11.
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-9)


def test_a_leg_with_one_channel_serves_all_channels() -> None:
    block = make_block("(a:0e+1o b:0e+1o)0e+1o", mode="sparse")
    a, b = random(4, 6, CHANNELS), random(4, 6, 1, seed=1)
    torch.testing.assert_close(
        block({"a": a, "b": b}), block({"a": a, "b": b.repeat(1, 1, CHANNELS)})
    )


def test_diagrams_with_parts_of_a_leg_share_its_feature() -> None:
    block = make_block("(a:1o b:0e)1o", "(a:0e b:1o)1o", "(a:2e b:1o)1o", mode="sparse")
    assert block.legs == {"a": natural_irreps(2), "b": natural_irreps(1)}
    a, b = random(9, 2, CHANNELS), random(4, 2, CHANNELS, seed=1)
    whole = block({"a": a, "b": b})
    a[4:] = 0  # without 2e, two diagrams are left
    rest = block({"a": a, "b": b})
    alone = make_block("(a:2e b:1o)1o", mode="sparse")
    assert alone.legs == {"a": natural_irreps(2)[2:], "b": natural_irreps(1)[1:]}
    assert not torch.allclose(whole, rest)


@MODES
def test_cost_counts_the_parameters_and_operations_of_the_block(mode: Mode) -> None:
    diagrams = [FusionDiagram.parse(THREE_LEGS[0])]
    block = make_block(THREE_LEGS[0], mode=mode)
    root, neighbour, edges = all_pairs(block)
    sizes = {"channels": CHANNELS, "outputs": OUTPUTS, "mode": mode, "nodes": NODES}
    number = len(edges.centre)
    by_edge = edgewise_cost(diagrams, edges=number, **sizes)
    by_node = nodewise_cost(diagrams, edges=number, **sizes)
    assert by_edge.parameters == sum(p.numel() for p in block.parameters())
    assert by_node.parameters == by_edge.parameters

    def counted(run: object, module: torch.nn.Module) -> int:
        """Operations of a run: CG products by their tables, all else by torch's own counter."""
        total = 0

        def add(called: torch.nn.Module, _: object, result: torch.Tensor) -> None:
            nonlocal total
            total += 4 * len(called.table.value) * result.shape[1] * result.shape[2]

        for part in module.modules():
            if isinstance(part, ClebschGordanProduct | PathProducts):
                part.register_forward_hook(add)
        rules = {
            torch.ops.aten.index_add: lambda _s, _d, _i, source, **_: torch.Size(source).numel(),
            torch.ops.aten.mul: lambda *_, out_shape, **__: torch.Size(out_shape).numel(),
        }
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=rules) as counter:
            run(root=root, neighbour=neighbour, edges=edges)
        return total + counter.get_total_flops()

    node = NodewiseFusion(make_block(THREE_LEGS[0], mode=mode))
    assert counted(lambda **legs: edgewise(block, **legs), block) == by_edge.flops
    kept = [weight.detach() for weight in node.weights()]
    node.weights = lambda: kept  # made once for all rows, not counted
    assert counted(node, node) == by_node.flops


def test_nodewise_evaluation_is_cheaper_where_there_are_many_edges() -> None:
    diagrams = [FusionDiagram.parse(THREE_LEGS[0])]
    sizes = {"channels": 32, "outputs": 32, "mode": "sparse", "nodes": 26}
    many = {"edges": 26 * 25}
    assert (
        nodewise_cost(diagrams, **sizes, **many).flops
        < edgewise_cost(diagrams, **sizes, **many).flops
    )
    same = cost(diagrams, **sizes)
    assert same.parameters == edgewise_cost(diagrams, **sizes, **many).parameters
    assert same.flops < edgewise_cost(diagrams, **sizes, **many).flops


def test_sizes_of_the_three_leg_block_written_out() -> None:
    """11 paths into k = 0, 1, 2 and 11 from there into J = 0, 1, 2; all k reach every J."""
    diagrams = [FusionDiagram.parse(THREE_LEGS[0])]
    sizes = {"channels": 16, "outputs": 16, "nodes": 1}
    sparse, dense = (cost(diagrams, mode=mode, **sizes) for mode in ("sparse", "dense"))
    assert sparse.parameters == 22 * 16 + 9 * 16 * 16
    assert dense.parameters == 22 * 16 * 16


def test_a_cost_needs_nothing_computed_before() -> None:
    diagrams = [FusionDiagram.parse(THREE_LEGS[1])]
    sizes = {"channels": 2, "outputs": 2, "nodes": 3, "mode": "dense", "edges": 6}
    known = nodewise_cost(diagrams, **sizes)
    for cached in (clebsch_gordan, irreps_table, f_matrix):
        cached.cache_clear()
    assert nodewise_cost(diagrams, **sizes) == known


@pytest.mark.parametrize(
    "texts",
    [
        ("(i:1o Y:1o)0e",),
        ("(i:1o (j:1o Y:2e)1o)0e",),
        ("((i:1o i:1o)2e Y:2e)0e",),
        ("((i:1o j:1o)2e Y:2e)0e", "((j:1o i:1o)2e Y:2e)0e"),
    ],
)
def test_other_than_three_leg_combs_are_refused_over_neighbours(texts: tuple[str, ...]) -> None:
    block = make_block(*texts, mode="sparse")
    with pytest.raises(ConfigError, match=r"diagrams \(\(root neighbour\)k edge\)J"):
        NodewiseFusion(block)


def test_missing_and_wrong_legs_are_refused() -> None:
    block = make_block("(a:0e+1o b:1o)1o", mode="sparse")
    with pytest.raises(ConfigError, match=r"leg b: it has 0 components, 1o has 3"):
        block({"a": random(4, 2, CHANNELS)})
    with pytest.raises(ConfigError, match=r"leg a: it has 3 components, 0e\+1o has 4"):
        block({"a": random(3, 2, CHANNELS), "b": random(3, 2, CHANNELS)})
    with pytest.raises(ConfigError, match="needs a diagram"):
        FusionBlock([], channels=1, outputs=1, mode="sparse")

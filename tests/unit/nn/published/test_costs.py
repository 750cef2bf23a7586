"""What the published networks tell of themselves: operations, irreps and fusion diagrams."""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from e3nn import o3
from torch.utils.flop_counter import FlopCounterMode

from namd.config.architecture import Architecture, CormorantArchitecture, MaceArchitecture
from namd.nn.base import DiabaticNetwork
from namd.nn.factory import build_network
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.product import PathProducts
from namd.nn.published.cormorant import CormorantNetwork
from namd.nn.published.edge_form import NeighbourSum
from namd.nn.published.mace import MaceLayer, MaceNetwork
from namd.nn.published.three_leg import DenseFusion, SparseFusion, internal_edges
from namd.nn.published.trees import symmetric_trees
from namd.nn.summary import LayerSummary, lattice, summarise

NUMBERS = (6, 7, 1, 1, 1)
ATOMS = len(NUMBERS)
EDGES = ATOMS * (ATOMS - 1)
C = 4
MACE = MaceArchitecture(channels=C, l_max=2, hidden_l=1, radial_hidden=(6, 5), hidden=3)
SPARSE = MaceArchitecture(channels=C, l_max=2, hidden_l=2, radial_hidden=(6, 5), fusion="sparse")
CORMORANT = CormorantArchitecture(channels=C, l_max=2, layers=2, hidden=8)
NETWORKS: tuple[Architecture, ...] = (
    MACE,
    SPARSE,
    SPARSE.model_copy(update={"fusion": "dense"}),
    CORMORANT,
    CORMORANT.model_copy(update={"fusion": "sparse"}),
)


def make(architecture: Architecture, diabats: int = 1) -> DiabaticNetwork:
    return build_network(architecture, atomic_numbers=torch.tensor(NUMBERS), diabats=diabats)


def everything(parts: tuple[LayerSummary, ...]) -> Iterator[LayerSummary]:
    for part in parts:
        yield part
        yield from everything(part.parts)


@pytest.mark.parametrize("architecture", NETWORKS, ids=lambda a: f"{a.kind}-{a.fusion}")
def test_no_layer_is_forgotten(architecture: Architecture) -> None:
    summary = summarise(make(architecture), atoms=ATOMS)
    names = [part.layer.module for part in summary.layers]
    assert names == ["edges", "layers.0", "layers.1", "readout"]
    assert all(part.flops > 0 for part in summary.layers)
    assert all(part.layer.irreps for part in summary.layers)
    embedding = 3 * C  # belongs to no layer
    assert sum(part.parameters for part in summary.layers) == summary.parameters - embedding
    # What is read out of a feature between the layers (1 % of Cormorant) belongs to none.
    assert 0.98 * summary.flops < sum(part.flops for part in summary.layers) <= summary.flops
    for part in everything(summary.layers):
        assert sum(inner.flops for inner in part.parts) <= part.flops
        assert sum(inner.parameters for inner in part.parts) <= part.parameters


def test_the_parts_of_mace_cost_what_its_formulas_say() -> None:
    network = make(MACE)
    assert isinstance(network, MaceNetwork)
    summary = summarise(network, atoms=ATOMS)
    flops = {part.layer.module: part.flops for part in everything(summary.layers)}
    layer = network.layers[1]  # features 0e + 1o in, 0e out
    assert isinstance(layer, MaceLayer)
    paths = layer.convolution.paths
    assert len(paths) == 7  # 000 011 022 101 110 112 121
    into = [sum(path[2] == l for path in paths) for l in range(3)]
    inside = "layers.1.convolution"
    widths = (8, 6, 5, len(paths) * C)
    matrices = sum(2 * a * b for a, b in pairwise(widths))
    assert flops[f"{inside}.radial"] == EDGES // 2 * (matrices + 2 * (6 + 5))
    assert flops[f"{inside}.up"] == 2 * ATOMS * (1 + 3) * C * C
    mix = sum((2 * l + 1) * n * C * C for l, n in enumerate(into))
    assert flops[f"{inside}.mix"] == 2 * ATOMS * mix
    nonzeros = sum(int(o3.wigner_3j(*path).abs().gt(1e-6).sum()) for path in paths)
    outputs = sum(2 * path[2] + 1 for path in paths)
    sums = EDGES * (nonzeros + 2 * C * (nonzeros + outputs))
    assert flops[f"{inside}.sums"] == sums
    assert flops[inside] == sums + sum(flops[f"{inside}.{n}"] for n in ("radial", "up", "mix"))
    # Products of two of 9 components, and one scalar of those of one, two and three.
    terms = sum(
        int(np.abs(symmetric_trees(2, nu)[0]).max(-1).round(9).astype(bool).sum())
        for nu in (1, 2, 3)
    )
    assert flops["layers.1.contraction"] == ATOMS * C * 4 * (45 + terms)
    assert flops["layers.1.update"] == 2 * ATOMS * C * C


def product_flops(network: DiabaticNetwork, positions: torch.Tensor) -> int:
    """Operations of the compiled products."""
    found = []

    def count(module: torch.nn.Module, _: Any, result: torch.Tensor) -> None:
        if isinstance(module, NeighbourSum):
            edges, channels = len(result) * EDGES, result.shape[-1]
            found.append(module.flops(edges=edges, channels=channels))
        elif isinstance(module, PathProducts):
            found.append(module.flops(result.shape[1]))

    for module in network.modules():
        module.register_forward_hook(count)
    network(positions)
    return sum(found)


@pytest.mark.parametrize("architecture", NETWORKS, ids=lambda a: f"{a.kind}-{a.fusion}")
def test_the_count_holds_every_product_and_little_else(architecture: Architecture) -> None:
    """PyTorch's counter sees matrix products only: no elementwise arithmetic, no sums."""
    network = make(architecture)
    positions = lattice(ATOMS).float()
    found = []
    for molecules in (1, 2, 3):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(positions.repeat(molecules, 1, 1))
        found.append(counter.get_total_flops())
    assert found[2] - found[1] == found[1] - found[0]
    summary = summarise(network, atoms=ATOMS)
    products = found[1] - found[0] + product_flops(network, positions)
    assert products < summary.flops < 1.6 * products
    assert 2 * found[0] - found[1] <= summary.batch_flops


def test_what_depends_on_weights_alone_is_counted_once_for_a_batch() -> None:
    trees = summarise(make(MACE), atoms=ATOMS)
    contraction = next(
        p for p in everything(trees.layers) if p.layer.module.endswith("contraction")
    )
    assert contraction.batch_flops > 0
    edges = trees.layers[0]
    assert edges.batch_flops == 0
    assert trees.batch_flops >= sum(part.batch_flops for part in trees.layers)


def test_the_contraction_has_a_weight_for_every_elementary_diagram() -> None:
    network = make(MACE.model_copy(update={"l_max": 3, "hidden_l": 2}))
    assert isinstance(network, MaceNetwork)
    for layer in network.layers:
        assert isinstance(layer, MaceLayer)
        combs = layer.describe("layer").diagrams[-3:]
        expected = {}
        for (degree, l), weight in zip(
            layer.contraction.terms(), layer.contraction.weights, strict=True
        ):
            expected[degree, l] = weight.shape[1]
        counted = {
            (degree, l): sum(d.output[0].l == l for d in comb.elementary_diagrams())
            for degree, comb in enumerate(combs, start=1)
            for l in range(layer.contraction.outputs)
        }
        assert counted == expected
        assert all(leg.name == "A" for comb in combs for leg in comb.legs)
    assert expected[3, 0] == 23  # the published number of trees of three legs up to l = 3


def test_the_convolution_is_drawn_with_exactly_its_paths() -> None:
    network = make(MACE)
    assert isinstance(network, MaceNetwork)
    for layer in network.layers:
        assert isinstance(layer, MaceLayer)
        drawn = layer.describe("layer").diagrams[0]
        assert [leg.name for leg in drawn.legs] == ["j", "Y"]
        assert spins(drawn) == set(layer.convolution.paths)


def spins(diagram: FusionDiagram) -> set[tuple[int, ...]]:
    """l of the legs and of the output of every elementary diagram."""
    return {
        (*(leg.irreps[0].l for leg in one.legs), one.output[0].l)
        for one in diagram.elementary_diagrams()
    }


@pytest.mark.parametrize("kind", [SparseFusion, DenseFusion])
def test_the_fusion_block_is_drawn_with_exactly_its_vertices(
    kind: type[SparseFusion] | type[DenseFusion],
) -> None:
    sizes = {"feature_l": 2, "harmonic_l": 2, "output_l": 2, "internal_l": 2}
    diagrams = kind(**sizes, channels=2, radial=3).diagrams
    edges = internal_edges(**sizes)
    if kind is SparseFusion:
        groups = [(edge,) for edge in edges]
    else:
        groups = [tuple(edge for edge in edges if edge.l <= l) for l in range(3)]
    assert len(diagrams) == len(groups)
    for diagram, group in zip(diagrams, groups, strict=True):
        assert [leg.name for leg in diagram.legs] == ["i", "j", "Y"]
        expected = {
            (*incoming, (edge.l, edge.parity), *outgoing)
            for edge in group
            for incoming, outgoing in product(edge.incoming, edge.outgoing)
        }
        drawn = set()
        for one in diagram.elementary_diagrams():
            (i, j, y), (k,) = (leg.irreps[0].l for leg in one.legs), one.internal[0]
            drawn.add((i, j, (k.l, k.parity), y, one.output[0].l))
        assert drawn == expected


def test_cofd_draws_square_message_and_fusion_block() -> None:
    network = make(CORMORANT.model_copy(update={"fusion": "sparse"}), diabats=2)
    assert isinstance(network, CormorantNetwork)
    _, first, second, readout = network.describe()
    assert [len(diagram.legs) for diagram in first.diagrams] == [2, 2]
    assert [len(diagram.legs) for diagram in second.diagrams] == [2, 2, 3, 3, 3, 3, 3]
    square = second.diagrams[0]
    assert [leg.name for leg in square.legs] == ["i", "i"]
    assert second.irreps == f"{C}x0e+{C}x1o+{C}x2e"
    assert readout.irreps == "3x0e"


def test_calibration_is_the_mean_number_of_neighbours() -> None:
    pair = torch.zeros(2, ATOMS, 3)
    pair[:, :, 0] = torch.arange(ATOMS) * 100.0  # far apart
    pair[1, 1, 0] = 2.0  # one pair of neighbours in the second geometry
    for architecture in (MACE, CORMORANT):
        network = make(architecture.model_copy(update={"cutoff_angstrom": 5.0}))
        network.calibrate(pair)
        assert network.get_buffer("neighbours") == 1.0  # at least one
        network.calibrate(pair * 0.02)  # all within
        assert network.get_buffer("neighbours") == ATOMS - 1

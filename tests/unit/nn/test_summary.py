"""What a network tells of itself, and its counted cost."""

from itertools import pairwise

import pytest
import torch

from namd.config.architecture import Architecture, FusionArchitecture, PerceptronArchitecture
from namd.nn.base import DiabaticNetwork
from namd.nn.factory import build_network
from namd.nn.fusion.comb import FusionComb
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.paths import irreps_table
from namd.nn.message import Message
from namd.nn.network import FusionNetwork
from namd.nn.summary import summarise

ATOMS = 6
SMALL = FusionArchitecture(channels=4, radial=3, hidden=8, correlation=4, message_layers=2)


def make(architecture: Architecture) -> DiabaticNetwork:
    numbers = torch.tensor([6, 7, 1, 1, 1, 1])
    return build_network(architecture, atomic_numbers=numbers, diabats=3)


def test_a_perceptron_is_its_matrix_products_and_activations() -> None:
    summary = summarise(make(PerceptronArchitecture(hidden=8, layers=2)), atoms=ATOMS)
    (body,) = summary.layers
    assert body.parameters == summary.parameters == (15 + 1) * 8 + (8 + 1) * 8 + (8 + 1) * 6
    assert body.flops == 2 * (15 * 8 + 8 * 8 + 8 * 6) + 2 * 8
    assert summary.flops > body.flops  # the distances are nobody's layer


def test_a_fusion_block_is_its_products_and_its_mix() -> None:
    network = make(SMALL)
    assert isinstance(network, FusionNetwork)
    first = {part.layer.module: part for part in summarise(network, atoms=ATOMS).layers}["first"]
    products = sum(4 * len(product.table.value) for product in network.first.products)
    mix = 2 * (1 + 3) * (SMALL.correlation * 4) * 4
    assert first.flops == ATOMS * (4 * products + mix)


def test_layers_sum_up_and_cost_grows_with_what_it_should() -> None:
    summary = summarise(make(SMALL), atoms=ATOMS)
    names = [part.layer.module for part in summary.layers]
    assert names == ["pairs", "density", "first", "layers.0", "layers.1", "readout"]
    assert sum(part.parameters for part in summary.layers) == summary.parameters
    assert sum(part.flops for part in summary.layers) == summary.flops
    wider = summarise(make(SMALL.model_copy(update={"channels": 8})), atoms=ATOMS)
    for narrow, wide in zip(summary.layers[1:-1], wider.layers[1:-1], strict=True):
        assert narrow.flops < wide.flops < 4 * narrow.flops
    assert summary.layers[0].flops == wider.layers[0].flops


@pytest.mark.parametrize("message_layers", [0, 1, 2])
def test_the_diagrams_hold_exactly_the_paths_of_the_products(message_layers: int) -> None:
    architecture = SMALL.model_copy(update={"message_layers": message_layers, "message_l": 1})
    network = make(architecture)
    described = {layer.module: layer.diagrams for layer in network.describe()}
    checked = 0
    for name, module in network.named_modules():
        diagrams = described.get(name) or described.get(name.rpartition(".")[0], ())
        if isinstance(module, Message):
            assert paths_of(diagrams[0]) == module.couple.table.paths
            checked += 1
        if isinstance(module, FusionComb):
            prefixes = diagrams[-len(module.leg_l) :]
            assert not prefixes[0].vertices
            for product, (before, after) in zip(module.products, pairwise(prefixes), strict=True):
                assert paths_of(after) == product.table.paths
                assert after.vertices[:-1] == before.vertices
            checked += 1
    assert checked == 1 + 2 * message_layers


def paths_of(diagram: FusionDiagram) -> tuple[tuple[int, int, int], ...]:
    """Paths of the last vertex."""
    last = diagram.vertices[-1]
    return irreps_table(last.left.irreps, last.right.irreps, last.irreps).paths


def test_counting_leaves_the_network_as_it_was() -> None:
    network = make(SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = (summarise(network, atoms=ATOMS) for _ in range(2))
    assert first == second
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())

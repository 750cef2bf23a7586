"""What a fusion block costs: learned numbers and floating-point operations.

Counted are the Clebsch–Gordan products (4 operations for each nonzero coefficient and channel: two
products with both inputs, one with the weight, one sum), the channel mixes (2 for each
multiply–add), the products with radial factors and harmonics, and the sums over neighbours. What
depends on the weights alone, such as recoupling them, is done once for all rows and not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from namd.nn.fusion.block import FusionBlock, Mode
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import dimension
from namd.nn.fusion.neighbours import NodewiseFusion, leg_names


@dataclass(frozen=True, slots=True)
class Cost:
    """Learned numbers, and operations of one evaluation on all rows."""

    parameters: int
    flops: int


def cost(
    diagrams: Sequence[FusionDiagram], *, channels: int, outputs: int, mode: Mode, nodes: int
) -> Cost:
    """Cost of a block whose legs are features of ``nodes`` nodes.

    Raises
    ------
    ConfigError
        If there is no diagram.
    """
    block = _shape(diagrams, channels=channels, outputs=outputs, mode=mode)
    return Cost(_parameters(block), _products(block, rows=nodes) + block.mix.flops(nodes))


def edgewise_cost(
    diagrams: Sequence[FusionDiagram],
    *,
    channels: int,
    outputs: int,
    mode: Mode,
    nodes: int,
    edges: int,
) -> Cost:
    """Cost of :func:`namd.nn.fusion.neighbours.edgewise`.

    Raises
    ------
    ConfigError
        If a diagram is not of the form ((root neighbour)k edge)J.
    """
    block = _shape(diagrams, channels=channels, outputs=outputs, mode=mode)
    radial = dimension(block.legs[leg_names(block)[1]]) * edges * channels
    sums = dimension(block.mix.irreps) * edges * channels
    flops = radial + _products(block, rows=edges) + sums + block.mix.flops(nodes)
    return Cost(_parameters(block), flops)


def nodewise_cost(
    diagrams: Sequence[FusionDiagram],
    *,
    channels: int,
    outputs: int,
    mode: Mode,
    nodes: int,
    edges: int,
) -> Cost:
    """Cost of :class:`namd.nn.fusion.neighbours.NodewiseFusion`.

    Raises
    ------
    ConfigError
        If a diagram is not of the form ((root neighbour)k edge)J.
    """
    block = _shape(diagrams, channels=channels, outputs=outputs, mode=mode)
    with torch.device("meta"):
        fusion = NodewiseFusion(block)
    return Cost(_parameters(block), fusion.flops(nodes=nodes, edges=edges))


def _shape(
    diagrams: Sequence[FusionDiagram], *, channels: int, outputs: int, mode: Mode
) -> FusionBlock:
    """A block without numbers in it."""
    with torch.device("meta"):
        return FusionBlock(diagrams, channels=channels, outputs=outputs, mode=mode)


def _parameters(block: FusionBlock) -> int:
    return sum(parameter.numel() for parameter in block.parameters())


def _products(block: FusionBlock, *, rows: int) -> int:
    return sum(vertex.flops(rows) for tree in block.compiled for vertex in tree.products)

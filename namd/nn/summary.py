"""What a network is made of, and what one molecule costs: parameters and operations, by layer.

Operations are those of :mod:`namd.nn.operations` for one evaluation of W, without its derivatives.
What depends on the weights alone (MACE contracts its weights with coupling trees) is done once for
a batch, however large: it is told apart by running one molecule and two.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from namd.nn.base import DiabaticNetwork, Layer
from namd.nn.factory import parameter_count
from namd.nn.operations import forward_flops

_SPACING = 2.7  # Bohr, of the lattice of atoms on which operations are counted


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """A layer with its learned numbers and its operations, and the parts that it holds.

    Parameters
    ----------
    layer
        What it is.
    parameters
        Learned numbers.
    flops, batch_flops
        Operations for each molecule, and once for every batch.
    parts
        Of the same kind; what they leave of the layer's operations belongs to none of them.
    """

    layer: Layer
    parameters: int
    flops: int
    batch_flops: int
    parts: "tuple[LayerSummary, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class NetworkSummary:
    """Totals, which hold what no layer claims as well, and the layers."""

    parameters: int
    flops: int
    batch_flops: int
    layers: tuple[LayerSummary, ...]


def summarise(network: DiabaticNetwork, *, atoms: int) -> NetworkSummary:
    """Count parameters and operations of a network for molecules of so many atoms.

    Parameters
    ----------
    network
        On the CPU; its weights do not matter.
    atoms
        In the order and number it was built for. They are put on a cubic lattice of 2.7 Bohr.
    """
    positions = lattice(atoms).to(next(network.parameters()).dtype)
    once = forward_flops(network, positions)
    twice = forward_flops(network, positions.repeat(2, 1, 1))

    def summary(layer: Layer) -> LayerSummary:
        name = layer.module
        return LayerSummary(
            layer=layer,
            parameters=parameter_count(network.get_submodule(name)),
            flops=twice[name] - once[name],
            batch_flops=2 * once[name] - twice[name],
            parts=tuple(summary(part) for part in layer.parts),
        )

    return NetworkSummary(
        parameters=parameter_count(network),
        flops=twice[""] - once[""],
        batch_flops=2 * once[""] - twice[""],
        layers=tuple(summary(layer) for layer in network.describe()),
    )


def lattice(atoms: int) -> Float[Tensor, "1 atom 3"]:
    """Atoms on a cubic lattice, Bohr: a geometry on which any network can be counted."""
    side = next(n for n in range(1, atoms + 1) if n**3 >= atoms)
    points = torch.cartesian_prod(*[torch.arange(side)] * 3).reshape(-1, 3)
    return (_SPACING * points[:atoms].double())[None]

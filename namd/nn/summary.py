"""What a network is made of, and what one molecule costs: parameters and operations, by layer.

Operations are counted while one molecule runs through the network on the CPU: matrix products (2
for each multiply–add), Clebsch–Gordan products (4 for each nonzero and channel), sums and
elementwise arithmetic (1 for each number). This is one evaluation of W, without its derivatives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from namd.nn.base import DiabaticNetwork, Layer
from namd.nn.factory import parameter_count
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts

_SPACING = 2.7  # Bohr, of the lattice of atoms on which operations are counted


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """A layer with its learned numbers and its operations for one molecule."""

    layer: Layer
    parameters: int
    flops: int


@dataclass(frozen=True, kw_only=True)
class NetworkSummary:
    """Totals, which hold what no layer claims as well, and the layers."""

    parameters: int
    flops: int
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
    positions = _lattice(atoms).to(next(network.parameters()).dtype)
    counts = _count(network, positions)
    layers = tuple(
        LayerSummary(
            layer=layer,
            parameters=parameter_count(network.get_submodule(layer.module)),
            flops=counts[layer.module],
        )
        for layer in network.describe()
    )
    return NetworkSummary(parameters=parameter_count(network), flops=counts[""], layers=layers)


def _lattice(atoms: int) -> Float[Tensor, "1 atom 3"]:
    side = next(n for n in range(1, atoms + 1) if n**3 >= atoms)
    points = torch.cartesian_prod(*[torch.arange(side)] * 3).reshape(-1, 3)
    return (_SPACING * points[:atoms].double())[None]


def _count(network: nn.Module, positions: Tensor) -> dict[str, int]:
    """Operations inside every module while the network runs once, by the module's name."""
    counts = {name: 0 for name, _ in network.named_modules()}
    began: dict[str, int] = {}
    products = 0
    handles = []

    def enter(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            began[name] = counter.get_total_flops() + products

        return hook

    def leave(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, _: Any, result: Any) -> None:
            nonlocal products
            if isinstance(module, ClebschGordanProduct | PathProducts):
                products += module.flops(result.shape[1])
            counts[name] += counter.get_total_flops() + products - began[name]

        return hook

    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=_elementwise()) as counter:
        for name, module in network.named_modules():
            handles.append(module.register_forward_pre_hook(enter(name)))
            handles.append(module.register_forward_hook(leave(name)))
        try:
            network(positions)
        finally:
            for handle in handles:
                handle.remove()
    return counts


def _elementwise() -> dict[Any, Any]:
    """One operation for each number made."""
    aten = torch.ops.aten
    names = ("add", "sub", "mul", "div", "pow", "neg", "sqrt", "rsqrt", "sin", "tanh", "silu")

    def made(*_: Any, out_shape: Any, **__: Any) -> int:
        return prod(out_shape)

    def source(_self: Any, _axis: Any, _index: Any, shape: Any, **_: Any) -> int:
        return prod(shape)

    def reduced(shape: Any, *_: Any, **__: Any) -> int:
        return prod(shape)

    rules: dict[Any, Any] = {getattr(aten, name): made for name in names}
    return rules | {aten.index_add: source, aten.sum: reduced}

"""Floating-point operations of a network, module by module, counted while it runs.

Counted are matrix products (2 operations for each multiply–add, by PyTorch's own
``FlopCounterMode``), Clebsch–Gordan products (4 for each nonzero and channel, by their tables),
sums over neighbours (all of them, within the cut-off or not), other sums and elementwise arithmetic
(1 for each number that is made or summed). Left out is what only moves numbers: copies,
concatenations, gathers, masks. A function such as sin or silu counts as one operation though it
takes tens of instructions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from namd.nn.fusion.product import ClebschGordanProduct, PathProducts
from namd.nn.published.edge_form import NeighbourSum

_Product = ClebschGordanProduct | PathProducts | NeighbourSum
_MADE = (
    *("add", "sub", "rsub", "mul", "div", "pow", "neg", "reciprocal", "sqrt", "rsqrt"),
    *("sin", "atan", "tanh", "silu", "silu_backward", "tanh_backward"),
)


def forward_flops(
    network: nn.Module, positions: Float[Tensor, "molecule atom 3"]
) -> dict[str, int]:
    """Operations inside every module while the network runs once.

    Parameters
    ----------
    network
        On the CPU.
    positions
        What it is run on.

    Returns
    -------
    dict
        By the module's name, the network itself under "". A module that is never called as a
        whole (a list, say) counts what its children do.
    """
    modules = dict(network.named_modules())
    counts: dict[str, int] = {}
    began: dict[str, int] = {}

    def enter(name: str) -> None:
        began[name] = counter.total

    def leave(name: str) -> None:
        counts[name] = counts.get(name, 0) + counter.total - began[name]

    with torch.no_grad(), _counting(network) as counter, hooked(network, enter, leave):
        network(positions)
    for name in reversed(modules):  # children before their parents
        if name not in counts:
            children = (f"{name}.{child}" for child, _ in modules[name].named_children())
            counts[name] = sum(counts[child] for child in children)
    return counts


def derivative_flops(network: nn.Module, positions: Float[Tensor, "molecule atom 3"]) -> int:
    """Operations of one vector–Jacobian product of the network's result, without its forward pass.

    Parameters
    ----------
    network
        On the CPU, with weights that are not differentiated.
    positions
        What it is run on.
    """
    moving = positions.detach().requires_grad_()
    with torch.enable_grad(), _counting(network) as counter:
        result = network(moving.view_as(moving))  # no leaf: FlopCounterMode cannot follow those
        before = counter.total - counter.products
        torch.autograd.grad(result, moving, torch.ones_like(result))
        return counter.total - counter.products - before + counter.product_derivatives


@contextmanager
def hooked(
    network: nn.Module, enter: Callable[[str], None], leave: Callable[[str], None]
) -> Iterator[None]:
    """Call ``enter`` and ``leave`` with its name around every call of every module."""
    handles = []
    for name, module in network.named_modules():

        def before(*_: Any, name: str = name) -> None:
            enter(name)

        def after(*_: Any, name: str = name) -> None:
            leave(name)

        handles.append(module.register_forward_pre_hook(before))
        handles.append(module.register_forward_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Counter:
    """Operations so far: PyTorch's, and those of the compiled products it does not see."""

    def __init__(self, torch_counter: FlopCounterMode) -> None:
        self._torch = torch_counter
        self.products = 0
        self.product_derivatives = 0

    @property
    def total(self) -> int:
        return self._torch.get_total_flops() + self.products

    def product(self, module: _Product, inputs: tuple[Any, ...], result: Tensor) -> None:
        """Count a product, and what a derivative with respect to its features will take."""
        if isinstance(module, NeighbourSum):
            molecules, atoms, _, channels = result.shape
            flops = module.flops(edges=molecules * atoms * (atoms - 1), channels=channels)
            legs = inputs[:3]
        else:
            flops = module.flops(result.shape[1])
            legs = inputs[:2]
        self.products += flops
        self.product_derivatives += flops * sum(leg.requires_grad for leg in legs)


@contextmanager
def _counting(network: nn.Module) -> Iterator[_Counter]:
    with FlopCounterMode(display=False, custom_mapping=_elementwise()) as torch_counter:
        counter = _Counter(torch_counter)
        handles = [
            module.register_forward_hook(counter.product)
            for module in network.modules()
            if isinstance(module, _Product)
        ]
        try:
            yield counter
        finally:
            for handle in handles:
                handle.remove()


def _elementwise() -> dict[Any, Any]:
    """One operation for each number made, or summed."""
    aten = torch.ops.aten

    def made(*_: Any, out_shape: Any, **__: Any) -> int:
        return prod(out_shape)

    def source(_self: Any, _axis: Any, _index: Any, shape: Any, **_: Any) -> int:
        return prod(shape)

    def reduced(shape: Any, *_: Any, **__: Any) -> int:
        return prod(shape)

    rules: dict[Any, Any] = {getattr(aten, name): made for name in _MADE}
    return rules | {aten.index_add: source, aten.sum: reduced, aten.mean: reduced}

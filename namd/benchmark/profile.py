"""Where the time of an evaluation goes, beside the least that its work could take.

One slice of molecules, as the potential evaluates it, on one thread of a CPU: forward pass part by
part, then the vector–Jacobian product that gives the force. For each part the operations
(:mod:`namd.nn.operations`), the bytes that its tensor operations and compiled products read and
write once each, and the time. The *floor* is the longer of operations over the measured peak of
matrix products and bytes over the measured memory bandwidth. It is no strict bound: a slice that
stays in the cache moves its bytes faster than memory does, and a part may so be faster than its
floor; and elementwise functions never reach the peak of matrix products.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from namd.benchmark.clock import Spread
from namd.nn.base import DiabaticNetwork
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts
from namd.nn.operations import derivative_flops, forward_flops, hooked
from namd.nn.summary import lattice

DERIVATIVE = "vjp"
_MATRIX = 1024
_VECTOR = 16_000_000
_PEAK_REPEATS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """What one thread of this machine does at best, measured.

    Parameters
    ----------
    gflops
        10⁹ operations per second, product of two large float32 matrices.
    gigabytes_per_second
        10⁹ bytes read and written per second, sum of two vectors far larger than the caches.
    """

    gflops: float
    gigabytes_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PartProfile:
    """A part of the evaluation of a slice.

    Parameters
    ----------
    part
        Layer of the network, "rest" of the forward pass, or "vjp".
    milliseconds
        Time of the slice.
    gflop, gigabytes
        Work: 10⁹ operations and bytes.
    floor_share
        Floor over the median time.
    """

    part: str
    milliseconds: Spread
    gflop: float
    gigabytes: float
    floor_share: float

    @property
    def gflops(self) -> float:
        """Achieved 10⁹ operations per second."""
        return 1000.0 * self.gflop / self.milliseconds.median

    @property
    def gigabytes_per_second(self) -> float:
        """Achieved 10⁹ bytes per second."""
        return 1000.0 * self.gigabytes / self.milliseconds.median


def measure_peaks() -> Peaks:
    """Measure the best that the calling thread gets; it must have one thread in each operation."""
    left, right = torch.ones(2, _MATRIX, _MATRIX)
    product = torch.empty_like(left)
    one, two, total = torch.ones(3, _VECTOR)
    return Peaks(
        gflops=2e-9 * _MATRIX**3 / _fastest(lambda: torch.mm(left, right, out=product)),
        gigabytes_per_second=12e-9 * _VECTOR / _fastest(lambda: torch.add(one, two, out=total)),
    )


def _fastest(action: Any) -> float:
    """Seconds of the fastest of some calls: a peak is not disturbed."""
    times = []
    for _ in range(_PEAK_REPEATS):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def profile(
    network: DiabaticNetwork, peaks: Peaks, *, atoms: int, molecules: int = 16, repeats: int = 20
) -> tuple[PartProfile, ...]:
    """Time and count the parts of one slice.

    Parameters
    ----------
    network
        On the CPU, with weights that are not differentiated.
    peaks
        Of this machine.
    atoms
        Of the molecule.
    molecules
        In a slice.
    repeats
        Evaluations that are timed.

    Returns
    -------
    tuple of PartProfile
        The layers in their order, what of the forward pass is in none of them, the derivative.
    """
    positions = lattice(atoms).repeat(molecules, 1, 1).to(next(network.parameters()).dtype)
    layers = [layer.module for layer in network.describe()]
    forward = forward_flops(network, positions)
    flops = {name: forward[name] for name in layers}
    flops["rest"] = forward[""] - sum(flops.values())
    flops[DERIVATIVE] = derivative_flops(network, positions)
    _run(network, positions, layers, lambda: 0.0)
    with _traffic(network) as traffic:
        moved = _run(network, positions, layers, lambda: float(traffic.bytes))
        moved[DERIVATIVE] += traffic.derivative_bytes
    runs = [_run(network, positions, layers, time.perf_counter) for _ in range(repeats)]
    parts = []
    for name, operations in flops.items():
        spread = Spread.of([1000.0 * run[name] for run in runs])
        gflop, gigabytes = operations / 1e9, moved[name] / 1e9
        floor = max(gflop / peaks.gflops, gigabytes / peaks.gigabytes_per_second)
        parts.append(
            PartProfile(
                part=name,
                milliseconds=spread,
                gflop=gflop,
                gigabytes=gigabytes,
                floor_share=1000.0 * floor / spread.median,
            )
        )
    return tuple(parts)


def _run(network: nn.Module, positions: Tensor, layers: list[str], gauge: Any) -> dict[str, float]:
    """By how much a gauge (a clock, say) rises in every layer, in the rest, in the derivative."""
    moving = positions.detach().requires_grad_()
    risen = dict.fromkeys(layers, 0.0)
    began: dict[str, float] = {}

    def enter(name: str) -> None:
        if name in risen:
            began[name] = gauge()

    def leave(name: str) -> None:
        if name in risen:
            risen[name] += gauge() - began[name]

    with torch.enable_grad(), hooked(network, enter, leave):
        start = gauge()
        result = network(moving)
        cotangent = torch.ones_like(result)
        middle = gauge()
        torch.autograd.grad(result, moving, cotangent)
        end = gauge()
    return {**risen, "rest": middle - start - sum(risen.values()), DERIVATIVE: end - middle}


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes that operations read and write; views are free."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0
        self.derivative_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        if func.namespace == "aten" and not func.is_view:
            self.bytes += _size((args, kwargs)) + _size(result)
        return result

    def product(self, module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> None:
        """Count a compiled product, which is no operation of PyTorch, and its derivatives."""
        del module
        moved = _size(inputs) + _size(result)
        self.bytes += moved
        self.derivative_bytes += moved * sum(leg.requires_grad for leg in inputs[:2])


def _size(values: Any) -> int:
    return sum(leaf.nbytes for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


@contextmanager
def _traffic(network: nn.Module) -> Iterator[_Traffic]:
    with _Traffic() as traffic:
        handles = [
            module.register_forward_hook(traffic.product)
            for module in network.modules()
            if isinstance(module, ClebschGordanProduct | PathProducts)
        ]
        try:
            yield traffic
        finally:
            for handle in handles:
                handle.remove()

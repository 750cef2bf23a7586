"""The channel-wise Clebsch–Gordan product as one trilinear operation.

    T(a, b, w)[k, n, c] = Σ_p w[p, c] Σ_ij C^p_ijk a[i, n, c] b[j, n, c]

with stacked components i, j, k, nodes n and channels c. Its derivative with respect to a or b is
the same operation with the table's columns exchanged; the derivative with respect to w is one
reduction, whose own derivatives are again T. Two functions therefore close under differentiation
to any order: forces need the first, training on forces the second.

On CPU the product runs in compiled loops (:mod:`namd.nn.fusion.kernels`), elsewhere as one matrix
product with the outer product of both inputs; tests hold the two against each other.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion import kernels
from namd.nn.fusion.paths import CouplingTable

_NODE_BLOCKS = 16  # ranges of nodes that the weight reduction sums one by one


class _Columns:
    """One ordering of a table's columns, with its arrays in every dtype asked for."""

    def __init__(self, table: CouplingTable, order: tuple[int, int, int]) -> None:
        columns = (table.first, table.second, table.output)
        self.table = table
        self.order = order
        self.first, self.second, self.output = (columns[o] for o in order)
        self.size = tuple(table.dimensions[o] for o in order)
        self.path = table.path
        self.value = {t: table.value.astype(t) for t in (np.float32, np.float64)}
        self._permuted: dict[tuple[int, int, int], _Columns] = {order: self}
        self._dense: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def permuted(self, roles: tuple[int, int, int]) -> "_Columns":
        """The table whose (first, second, output) are our columns number ``roles``."""
        order = (self.order[roles[0]], self.order[roles[1]], self.order[roles[2]])
        if order not in self._permuted:
            new = _Columns(self.table, order)
            new._permuted = self._permuted  # one shared cache per table
            self._permuted[order] = new
        return self._permuted[order]

    def dense(self, like: Tensor) -> Tensor:
        """Dense [path, first, second, output] on the device and in the dtype of ``like``."""
        key = (like.device, like.dtype)
        if key not in self._dense:
            axes = (0, *(1 + o for o in self.order))
            tensor = torch.from_numpy(self.table.dense().transpose(axes).copy())
            self._dense[key] = tensor.to(device=like.device, dtype=like.dtype)
        return self._dense[key]


def _compiled(*tensors: Tensor) -> bool:
    return all(t.device.type == "cpu" for t in tensors)


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor.detach().contiguous().numpy())


def dense_product(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    w: Float[Tensor, "path channel"],
    columns: _Columns,
) -> Float[Tensor, "output node channel"]:
    """T(a, b, w) in dense tensor operations, on any device."""
    return (_per_path(a, b, columns) * w[:, None, None, :]).sum(0)


def dense_reduction(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    g: Float[Tensor, "output node channel"],
    columns: _Columns,
) -> Float[Tensor, "path channel"]:
    """∂⟨g, T(a, b, w)⟩/∂w in dense tensor operations, on any device."""
    return (_per_path(a, b, columns) * g).sum((1, 2))


def _per_path(a: Tensor, b: Tensor, columns: _Columns) -> Tensor:
    """The product along every path alone, [path, output, node, channel]."""
    paths, first, second, output = columns.dense(a).shape
    outer = (a[:, None] * b).reshape(first * second, -1)
    table = columns.dense(a).permute(0, 3, 1, 2).reshape(paths * output, -1)
    return (table @ outer).view(paths, output, *a.shape[1:])


def _product(a: Tensor, b: Tensor, w: Tensor, columns: _Columns) -> Tensor:
    if not _compiled(a, b, w):
        return dense_product(a, b, w, columns)
    left, right = _numpy(a), _numpy(b)
    weight = _numpy(w)[columns.path] * columns.value[left.dtype.type][:, None]
    out = kernels.empty_like_components(columns.size[2], left)
    kernels.product(left, right, columns.first, columns.second, columns.output, weight, out)
    return torch.from_numpy(out)


def _reduction(a: Tensor, b: Tensor, g: Tensor, columns: _Columns) -> Tensor:
    if not _compiled(a, b, g):
        return dense_reduction(a, b, g, columns)
    left, right, out = _numpy(a), _numpy(b), _numpy(g)
    shape = (_NODE_BLOCKS, len(columns.table.paths), left.shape[2])
    blocks = np.zeros(shape, dtype=left.dtype)
    value = columns.value[left.dtype.type]
    indices = (columns.first, columns.second, columns.output)
    kernels.reduction(left, right, out, *indices, value, columns.path, blocks)
    return torch.from_numpy(blocks.sum(axis=0))


class _Product(torch.autograd.Function):
    """T(a, b, w) of the module's docstring."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, w: Tensor, columns: _Columns) -> Tensor:
        ctx.save_for_backward(a, b, w)
        ctx.columns = columns
        return _product(a, b, w, columns)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        a, b, w = ctx.saved_tensors
        (g,) = gradients
        columns: _Columns = ctx.columns
        need = ctx.needs_input_grad
        to_a = _apply(g, b, w, columns.permuted((2, 1, 0))) if need[0] else None
        to_b = _apply(g, a, w, columns.permuted((2, 0, 1))) if need[1] else None
        to_w = _Reduction.apply(a, b, g, columns) if need[2] else None  # type: ignore[no-untyped-call]
        return to_a, to_b, to_w, None


class _Reduction(torch.autograd.Function):
    """∂⟨g, T(a, b, w)⟩/∂w: one number per path and channel."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, g: Tensor, columns: _Columns) -> Tensor:
        ctx.save_for_backward(a, b, g)
        ctx.columns = columns
        return _reduction(a, b, g, columns)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        a, b, g = ctx.saved_tensors
        (u,) = gradients
        columns: _Columns = ctx.columns
        need = ctx.needs_input_grad
        to_a = _apply(g, b, u, columns.permuted((2, 1, 0))) if need[0] else None
        to_b = _apply(g, a, u, columns.permuted((2, 0, 1))) if need[1] else None
        to_g = _apply(a, b, u, columns) if need[2] else None
        return to_a, to_b, to_g, None


def _apply(a: Tensor, b: Tensor, w: Tensor, columns: _Columns) -> Tensor:
    result: Tensor = _Product.apply(a, b, w, columns)  # type: ignore[no-untyped-call]
    return result


class ClebschGordanProduct(nn.Module):
    """Weighted sum of all paths of a coupling table, channel by channel.

    Parameters
    ----------
    table
        The paths and their coefficients.
    channels
        Number of channels.

    Notes
    -----
    Weights start from a normal distribution of variance 1/(paths into the same l3), so that the
    output has the variance of the inputs' product.
    """

    def __init__(self, *, table: CouplingTable, channels: int) -> None:
        super().__init__()
        self.table = table
        self.columns = _Columns(table, (0, 1, 2))
        into = np.array([sum(q[2] == p[2] for q in table.paths) for p in table.paths])
        scale = torch.tensor(1.0 / np.sqrt(into), dtype=torch.get_default_dtype())
        self.weight = nn.Parameter(torch.randn(len(table.paths), channels) * scale[:, None])

    def forward(
        self,
        first: Float[Tensor, "first node channel"],
        second: Float[Tensor, "second node channel"],
    ) -> Float[Tensor, "output node channel"]:
        """Couple two stacked features node by node and channel by channel."""
        return _apply(first, second, self.weight, self.columns)

    def flops(self, rows: int) -> int:
        """Floating-point operations of one product of ``rows`` nodes."""
        return self.table.flops * self.weight.shape[1] * rows


class PathProducts(nn.Module):
    """The paths of a coupling table without weights of their own.

    Parameters
    ----------
    table
        Often with an output of its own for every path; see
        :func:`~namd.nn.fusion.paths.separate_table`.
    channels
        Number of channels.
    """

    def __init__(self, *, table: CouplingTable, channels: int) -> None:
        super().__init__()
        self.table = table
        self.channels = channels
        self.columns = _Columns(table, (0, 1, 2))

    def forward(
        self,
        first: Float[Tensor, "first node channel"],
        second: Float[Tensor, "second node channel"],
        weight: Float[Tensor, "path channel"] | None = None,
    ) -> Float[Tensor, "output node channel"]:
        """Couple two features node by node and channel by channel; all weights are 1 if None."""
        if weight is None:
            weight = first.new_ones(len(self.table.paths), self.channels)
        return _apply(first, second, weight, self.columns)

    def flops(self, rows: int) -> int:
        """Floating-point operations of one product of ``rows`` nodes."""
        return self.table.flops * self.channels * rows

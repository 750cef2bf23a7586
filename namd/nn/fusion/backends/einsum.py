"""The operators in dense tensor operations: the reference, and the way on any device.

The outer product of both inputs is multiplied with the whole table, zeros and all.
"""

from jaxtyping import Float
from torch import Tensor

from namd.nn.fusion.columns import Columns


def product(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    w: Float[Tensor, "path channel"],
    columns: Columns,
) -> Float[Tensor, "output node channel"]:
    """T(a, b, w); see :mod:`namd.nn.fusion.operators`."""
    return (_per_path(a, b, columns) * w[:, None, None, :]).sum(0)


def reduction(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    g: Float[Tensor, "output node channel"],
    columns: Columns,
) -> Float[Tensor, "path channel"]:
    """∂⟨g, T(a, b, w)⟩/∂w."""
    return (_per_path(a, b, columns) * g).sum((1, 2))


def _per_path(a: Tensor, b: Tensor, columns: Columns) -> Tensor:
    """The product along every path alone, [path, output, node, channel]."""
    paths, first, second, output = columns.dense(a).shape
    outer = (a[:, None] * b).reshape(first * second, -1)
    table = columns.dense(a).permute(0, 3, 1, 2).reshape(paths * output, -1)
    return (table @ outer).view(paths, output, *a.shape[1:])

"""The channel-wise Clebsch–Gordan product as two operators of PyTorch.

    namd::cg_product     T(a, b, w)[k, n, c] = Σ_p w[p, c] Σ_ij C^p_ijk a[i, n, c] b[j, n, c]
    namd::cg_reduction   R(a, b, g)[p, c] = ∂⟨g, T(a, b, w)⟩/∂w[p, c]

with stacked components i, j, k, nodes n and channels c; the table C is named by its key
(:mod:`namd.nn.fusion.columns`). The derivative of T with respect to a or b is T again with the
table's columns exchanged; that with respect to w is R, whose own derivatives are T. Two operators
therefore close under differentiation to any order: forces need the first, training on forces the
second.

They are registered with ``torch.library``, so that ``torch.compile`` takes them into its graphs and
fake tensors pass; what computes them is chosen by the device
(:mod:`namd.nn.fusion.backends.choice`). A ``Library`` is used instead of the decorator
``custom_op``, whose checks cost more time per call (a product and its two derivatives without any
work in them: 39 µs instead of 47 µs): that counts where one molecule is alone.

``torch.func`` cannot transform an operator whose derivative is registered in Python; inside its
transforms (``vjp``, ``grad``; not ``vmap``) the same formulas go through ``autograd.Function``s.
Compiling such a transform fails with PyTorch's message; compile ``torch.autograd.grad`` with
``torch._dynamo.config.trace_autograd_ops`` instead.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from namd.errors import ConfigError
from namd.nn.fusion.backends.choice import backend, implementation
from namd.nn.fusion.columns import Columns, Order, columns_of
from namd.nn.registration import apply, inside_transform, register

_TO_FIRST: Order = (2, 1, 0)  # what is differentiated changes places with the output
_TO_SECOND: Order = (2, 0, 1)
_COMPILED = (torch.float32, torch.float64)  # other precisions have the reference

# PyTorch does not say the types of these.
_library: Any = torch.library.Library("namd", "DEF")  # type: ignore[no-untyped-call]
_library.define("cg_product(Tensor a, Tensor b, Tensor w, str table) -> Tensor")
_library.define("cg_reduction(Tensor a, Tensor b, Tensor g, str table) -> Tensor")


def cg_product(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    w: Float[Tensor, "path channel"],
    table: str,
) -> Float[Tensor, "output node channel"]:
    """T(a, b, w) of the module's docstring.

    Parameters
    ----------
    a, b
        Stacked components.
    w
        A weight per path and channel.
    table
        Key from :func:`namd.nn.fusion.columns.registered`.

    Raises
    ------
    ConfigError
        If shapes or precisions do not fit each other and the table.
    """
    if inside_transform():
        return apply(_Product, a, b, w, table)
    result: Tensor = torch.ops.namd.cg_product.default(a, b, w, table)
    return result


def cg_reduction(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    g: Float[Tensor, "output node channel"],
    table: str,
) -> Float[Tensor, "path channel"]:
    """R(a, b, g) of the module's docstring.

    Raises
    ------
    ConfigError
        If shapes or precisions do not fit each other and the table.
    """
    if inside_transform():
        return apply(_Reduction, a, b, g, table)
    result: Tensor = torch.ops.namd.cg_reduction.default(a, b, g, table)
    return result


def _product(a: Tensor, b: Tensor, w: Tensor, table: str) -> Tensor:
    columns = columns_of(table)
    _check_product(a, b, w, columns)
    result: Tensor = _backend(a).product(a, b, w, columns)
    return result


def _reduction(a: Tensor, b: Tensor, g: Tensor, table: str) -> Tensor:
    columns = columns_of(table)
    _check_reduction(a, b, g, columns)
    result: Tensor = _backend(a).reduction(a, b, g, columns)
    return result


def _backend(a: Tensor) -> Any:
    return backend(a.device.type) if a.dtype in _COMPILED else implementation("einsum")


def _fake_product(a: Tensor, b: Tensor, w: Tensor, table: str) -> Tensor:
    columns = columns_of(table)
    _check_product(a, b, w, columns)
    return a.new_empty((columns.sizes[2], *a.shape[1:]))


def _fake_reduction(a: Tensor, b: Tensor, g: Tensor, table: str) -> Tensor:
    columns = columns_of(table)
    _check_reduction(a, b, g, columns)
    return a.new_empty((columns.paths, a.shape[2]))


def _check_product(a: Tensor, b: Tensor, w: Tensor, columns: Columns) -> None:
    nodes = a.shape[1:]
    shapes = ((columns.sizes[0], *nodes), (columns.sizes[1], *nodes), (columns.paths, *nodes[1:]))
    _check((a, b, w), shapes, columns)


def _check_reduction(a: Tensor, b: Tensor, g: Tensor, columns: Columns) -> None:
    _check((a, b, g), [(size, *a.shape[1:]) for size in columns.sizes], columns)


def _check(
    tensors: Sequence[Tensor], shapes: Sequence[Sequence[int | torch.SymInt]], columns: Columns
) -> None:
    """Refuse what loops without bounds checks would read beyond."""
    one, two, three = tensors
    if (one.shape, two.shape, three.shape) != tuple(shapes) or one.dim() != 3:
        found = ", ".join(str(tuple(t.shape)) for t in tensors)
        raise ConfigError(
            f"expected tensors of shapes {', '.join(map(str, shapes))}, found {found}",
            where=f"Clebsch–Gordan product {columns.key}",
            hint="components first, then nodes, then channels",
        )
    if not one.dtype == two.dtype == three.dtype or not one.device == two.device == three.device:
        found = ", ".join(f"{t.dtype} on {t.device}" for t in tensors)
        raise ConfigError(
            f"expected tensors of one precision on one device, found {found}",
            where=f"Clebsch–Gordan product {columns.key}",
            hint="convert the inputs or the module with .to()",
        )


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    *tensors, ctx.table = inputs
    ctx.save_for_backward(*tensors)


def _product_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    a, b, w = ctx.saved_tensors
    columns = columns_of(ctx.table)
    need = ctx.needs_input_grad
    return (
        cg_product(g, b, w, columns.permuted(_TO_FIRST)) if need[0] else None,
        cg_product(g, a, w, columns.permuted(_TO_SECOND)) if need[1] else None,
        cg_reduction(a, b, g, ctx.table) if need[2] else None,
        None,
    )


def _reduction_backward(ctx: Any, u: Tensor) -> tuple[Tensor | None, ...]:
    a, b, g = ctx.saved_tensors
    columns = columns_of(ctx.table)
    need = ctx.needs_input_grad
    return (
        cg_product(g, b, u, columns.permuted(_TO_FIRST)) if need[0] else None,
        cg_product(g, a, u, columns.permuted(_TO_SECOND)) if need[1] else None,
        cg_product(a, b, u, ctx.table) if need[2] else None,
        None,
    )


class _Product(torch.autograd.Function):
    """T for the transforms of ``torch.func``."""

    forward = staticmethod(torch.ops.namd.cg_product.default)
    setup_context = staticmethod(_remember)
    backward = staticmethod(_product_backward)


class _Reduction(torch.autograd.Function):
    """R for the transforms of ``torch.func``."""

    forward = staticmethod(torch.ops.namd.cg_reduction.default)
    setup_context = staticmethod(_remember)
    backward = staticmethod(_reduction_backward)


_OPERATORS = {
    "cg_product": (_product, _fake_product, _product_backward),
    "cg_reduction": (_reduction, _fake_reduction, _reduction_backward),
}
for _name, (_compute, _fake, _backward) in _OPERATORS.items():
    register(
        _library,
        _name,
        key="CompositeExplicitAutograd",
        compute=_compute,
        fake=_fake,
        remember=_remember,
        backward=_backward,
    )

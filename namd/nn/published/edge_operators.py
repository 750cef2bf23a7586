"""Sums over neighbours and their derivatives as two operators of PyTorch.

    namd::edge_rows        ∂Q/∂leg from the other two legs and the harmonics
    namd::edge_harmonics   ∂Q/∂y from all three legs

Q is the form of :mod:`namd.nn.published.edge_form`, its constants are named by their key
(:mod:`namd.nn.published.edge_tables`). It is linear in its legs and in y, so that every derivative
of one of its derivatives is one again: two operators close under differentiation to any order.

They are registered with ``torch.library``, and have a second way for the transforms of
``torch.func``, for the reasons given in :mod:`namd.nn.fusion.operators`. There are loops for the
CPU alone (:mod:`namd.nn.published.edge_loops`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from namd.nn.published.edge_checks import checked_index, checked_tables
from namd.nn.published.edge_loops import NARROW, WIDE, harmonics_loop, rows_loop
from namd.nn.published.edge_tables import OTHERS, RADIAL, RESULT, SOURCE
from namd.nn.registration import apply, inside_transform, register

_ALL = (SOURCE, RADIAL, RESULT)
_Edges = tuple[Tensor, Tensor, Sequence[int]]

# PyTorch does not say the types of these.
_library: Any = torch.library.Library("namd", "FRAGMENT")  # type: ignore[no-untyped-call]
_EDGES = "Tensor within, Tensor index, SymInt[] rows"
_library.define(
    f"edge_rows(Tensor inner, Tensor factor, Tensor y, {_EDGES}, int leg, str form) -> Tensor"
)
_library.define(f"edge_harmonics(Tensor s, Tensor r, Tensor g, {_EDGES}, str form) -> Tensor")


def edge_rows(  # noqa: PLR0917  (in the order of the operator)
    inner: Float[Tensor, "molecule _ _ channel"],
    factor: Float[Tensor, "molecule _ _ channel"],
    y: Float[Tensor, "molecule atom atom component"],
    within: Bool[Tensor, "molecule atom atom"],
    index: Int[Tensor, "3 atom atom"],
    rows: Sequence[int],
    leg: int,
    form: str,
) -> Float[Tensor, "molecule _ _ channel"]:
    """∂Q/∂leg, [molecule, row, component, channel] like all legs.

    Parameters
    ----------
    inner, factor
        The other two legs, in the order of :data:`namd.nn.published.edge_tables.OTHERS`.
    y
        Harmonics.
    within, index, rows
        Of :class:`namd.nn.published.edge_form.Places`.
    leg
        Which leg.
    form
        Key from :func:`namd.nn.published.edge_tables.registered`.

    Raises
    ------
    ConfigError
        If shapes, precisions or rows do not fit each other and the form.
    """
    arguments = (inner, factor, y, within, index, rows, leg, form)
    if inside_transform():
        return apply(_Rows, *arguments)
    result: Tensor = torch.ops.namd.edge_rows.default(*arguments)
    return result


def edge_harmonics(  # noqa: PLR0917
    s: Float[Tensor, "molecule _ _ channel"],
    r: Float[Tensor, "molecule _ _ channel"],
    g: Float[Tensor, "molecule _ _ channel"],
    within: Bool[Tensor, "molecule atom atom"],
    index: Int[Tensor, "3 atom atom"],
    rows: Sequence[int],
    form: str,
) -> Float[Tensor, "molecule atom atom component"]:
    """∂Q/∂y from all three legs; other parameters as in :func:`edge_rows`.

    Raises
    ------
    ConfigError
        If shapes, precisions or rows do not fit each other and the form.
    """
    arguments = (s, r, g, within, index, rows, form)
    if inside_transform():
        return apply(_Harmonics, *arguments)
    result: Tensor = torch.ops.namd.edge_harmonics.default(*arguments)
    return result


def _rows(inner: Tensor, factor: Tensor, y: Tensor, *rest: Any) -> Tensor:
    within, index, rows, leg, form = rest
    legs = dict(zip(OTHERS[leg], (inner, factor), strict=True))
    tables = checked_tables(form, legs, y, within=within, index=index, rows=rows)
    entries, value, groups = tables.rows(leg)
    arrays, width = _padded(inner, factor)
    out = inner.new_zeros(len(inner), rows[leg], tables.sizes[leg], arrays[0].shape[-1])
    rows_loop(width)(
        *arrays,
        _array(y),
        _array(within),
        checked_index(_array(index), rows, tables)[[*OTHERS[leg], leg]],
        entries,
        value.astype(arrays[0].dtype),
        groups,
        out.numpy(),
    )
    return out[..., : inner.shape[-1]]


def _fake_rows(inner: Tensor, factor: Tensor, y: Tensor, *rest: Any) -> Tensor:
    within, index, rows, leg, form = rest
    legs = dict(zip(OTHERS[leg], (inner, factor), strict=True))
    tables = checked_tables(form, legs, y, within=within, index=index, rows=rows)
    molecules, *_, channels = inner.shape  # not len, which would make a number of a symbol
    padded = channels + -channels % NARROW
    out = inner.new_empty((molecules, rows[leg], tables.sizes[leg], padded))
    return out[..., :channels]


def _harmonics(s: Tensor, r: Tensor, g: Tensor, *rest: Any) -> Tensor:
    within, index, rows, form = rest
    legs = dict(zip(_ALL, (s, r, g), strict=True))
    tables = checked_tables(form, legs, None, within=within, index=index, rows=rows)
    entries, value, start, groups = tables.by_harmonic
    arrays, width = _padded(s, r, g)
    out = s.new_zeros(*within.shape, tables.sizes[3])
    harmonics_loop(width)(
        *arrays,
        _array(within),
        checked_index(_array(index), rows, tables),
        entries,
        value.astype(arrays[0].dtype),
        start,
        groups,
        out.numpy(),
    )
    return out


def _fake_harmonics(s: Tensor, r: Tensor, g: Tensor, *rest: Any) -> Tensor:
    within, index, rows, form = rest
    legs = dict(zip(_ALL, (s, r, g), strict=True))
    tables = checked_tables(form, legs, None, within=within, index=index, rows=rows)
    return s.new_empty((*within.shape, tables.sizes[3]))


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.contiguous().numpy(force=True)
    return array


def _padded(*legs: Tensor) -> tuple[list[np.ndarray], int]:
    """The legs with as many channels as a width of the loops divides, and that width."""
    channels = legs[0].shape[-1]
    missing = -channels % NARROW
    padded = [torch.nn.functional.pad(leg, (0, missing)) if missing else leg for leg in legs]
    return [_array(leg) for leg in padded], WIDE if channels % WIDE == 0 else NARROW


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    *tensors, ctx.rows = inputs[:6]
    ctx.others = inputs[6:]
    ctx.save_for_backward(*tensors)


def _rows_backward(ctx: Any, u: Tensor) -> tuple[Tensor | None, ...]:
    inner, factor, y, within, index = ctx.saved_tensors
    leg, form = ctx.others
    names = (*OTHERS[leg], leg)
    legs = dict(zip(names, (inner, factor, u), strict=True))
    edges = (within, index, ctx.rows)
    need = ctx.needs_input_grad
    return (
        _leg_gradient(names[0], legs, y, edges, form) if need[0] else None,
        _leg_gradient(names[1], legs, y, edges, form) if need[1] else None,
        edge_harmonics(legs[SOURCE], legs[RADIAL], legs[RESULT], *edges, form) if need[2] else None,
        *[None] * 5,
    )


def _harmonics_backward(ctx: Any, u: Tensor) -> tuple[Tensor | None, ...]:
    s, r, g, within, index = ctx.saved_tensors
    (form,) = ctx.others
    legs = dict(zip(_ALL, (s, r, g), strict=True))
    edges = (within, index, ctx.rows)
    gradients = [
        _leg_gradient(leg, legs, u, edges, form) if need else None
        for leg, need in zip(_ALL, ctx.needs_input_grad, strict=False)
    ]
    return *gradients, *[None] * 4


def _leg_gradient(leg: int, legs: dict[int, Tensor], y: Tensor, edges: _Edges, form: str) -> Tensor:
    inner, factor = OTHERS[leg]
    return edge_rows(legs[inner], legs[factor], y, *edges, leg, form)


class _Rows(torch.autograd.Function):
    """∂Q/∂leg for the transforms of ``torch.func``."""

    forward = staticmethod(torch.ops.namd.edge_rows.default)
    setup_context = staticmethod(_remember)
    backward = staticmethod(_rows_backward)


class _Harmonics(torch.autograd.Function):
    """∂Q/∂y for the transforms of ``torch.func``."""

    forward = staticmethod(torch.ops.namd.edge_harmonics.default)
    setup_context = staticmethod(_remember)
    backward = staticmethod(_harmonics_backward)


_OPERATORS = {
    "edge_rows": (_rows, _fake_rows, _rows_backward),
    "edge_harmonics": (_harmonics, _fake_harmonics, _harmonics_backward),
}
for _name, (_compute, _fake, _backward) in _OPERATORS.items():
    register(
        _library,
        _name,
        key="CPU",
        compute=_compute,
        fake=_fake,
        remember=_remember,
        backward=_backward,
    )

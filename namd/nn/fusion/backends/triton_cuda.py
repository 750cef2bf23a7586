"""The operators on an NVIDIA GPU (Triton).

One program makes all outputs of a block of nodes and channels. It runs through the table's
nonzeros in memory, sorted by output, so that every sum stays in registers and is written once; the
rows of the inputs are read from memory once and then from the first-level cache. One kernel serves
every table and order of columns: a kernel unrolled for each table would keep the rows in registers,
and would have to be compiled for each of the dozens of tables of a network. At l ≤ 2 a table has
about a hundred nonzeros, three reads of the cache each: by estimate twice the time that the tensors
need to come from memory.

There are no atomic sums. The reduction over nodes has two stages, sums of blocks of nodes first
and their sum, in a fixed order, second: equal inputs give equal bits.
"""

from typing import no_type_check

import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from namd.nn.fusion.columns import Columns

_NODES = 8
_CHANNELS = 32
_REDUCED_NODES = 64  # nodes that one program of the reduction sums


def product(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    w: Float[Tensor, "path channel"],
    columns: Columns,
) -> Float[Tensor, "output node channel"]:
    """T(a, b, w); see :mod:`namd.nn.fusion.operators`."""
    a, b, w = a.contiguous(), b.contiguous(), w.contiguous()
    _, nodes, channels = a.shape
    out = a.new_empty(columns.sizes[2], nodes, channels)
    if out.numel():
        index, start, value = columns.on_device("by_output", a)
        grid = (triton.cdiv(nodes, _NODES), triton.cdiv(channels, _CHANNELS))
        _product[grid](
            a,
            b,
            w,
            out,
            index,
            start,
            value,
            nodes,
            channels,
            len(value),
            columns.sizes[2],
            BLOCK_NODES=_NODES,
            BLOCK_CHANNELS=_CHANNELS,
        )
    return out


def reduction(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    g: Float[Tensor, "output node channel"],
    columns: Columns,
) -> Float[Tensor, "path channel"]:
    """∂⟨g, T(a, b, w)⟩/∂w."""
    a, b, g = a.contiguous(), b.contiguous(), g.contiguous()
    _, nodes, channels = a.shape
    blocks = triton.cdiv(nodes, _REDUCED_NODES)
    partial = a.new_empty(blocks, columns.paths, channels)
    if partial.numel():
        index, start, value = columns.on_device("by_path", a)
        grid = (blocks, triton.cdiv(channels, _CHANNELS), columns.paths)
        _reduction[grid](
            a,
            b,
            g,
            partial,
            index,
            start,
            value,
            nodes,
            channels,
            len(value),
            columns.paths,
            BLOCK_NODES=_NODES,
            NODES=_REDUCED_NODES,
            BLOCK_CHANNELS=_CHANNELS,
        )
    return partial.sum(0)


@triton.jit
@no_type_check
def _product(  # noqa: PLR0917  (a kernel)
    a,
    b,
    w,
    out,
    index,
    start,
    value,
    nodes,
    channels,
    entries,
    outputs,
    BLOCK_NODES: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """All outputs of a block of nodes and channels; rows of ``index``: first, second, path."""
    n = (tl.program_id(0) * BLOCK_NODES + tl.arange(0, BLOCK_NODES)).to(tl.int64)
    c = tl.program_id(1) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    inside = (n < nodes)[:, None] & (c < channels)[None, :]
    place = n[:, None] * channels + c[None, :]
    row = nodes.to(tl.int64) * channels
    for k in range(outputs):
        total = tl.zeros((BLOCK_NODES, BLOCK_CHANNELS), dtype=out.dtype.element_ty)
        for e in range(tl.load(start + k), tl.load(start + k + 1)):
            first = tl.load(index + e)
            second = tl.load(index + entries + e)
            path = tl.load(index + 2 * entries + e)
            weight = tl.load(w + path * channels + c, mask=c < channels, other=0.0)
            x = tl.load(a + first * row + place, mask=inside, other=0.0)
            y = tl.load(b + second * row + place, mask=inside, other=0.0)
            total += (tl.load(value + e) * weight)[None, :] * x * y
        tl.store(out + k * row + place, total, mask=inside)


@triton.jit
@no_type_check
def _reduction(  # noqa: PLR0917
    a,
    b,
    g,
    partial,
    index,
    start,
    value,
    nodes,
    channels,
    entries,
    paths,
    BLOCK_NODES: tl.constexpr,
    NODES: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """One path's sum over a block of nodes; rows of ``index``: first, second, output."""
    block = tl.program_id(0)
    c = tl.program_id(1) * BLOCK_CHANNELS + tl.arange(0, BLOCK_CHANNELS)
    p = tl.program_id(2)
    row = nodes.to(tl.int64) * channels
    total = tl.zeros((BLOCK_NODES, BLOCK_CHANNELS), dtype=partial.dtype.element_ty)
    for step in range(0, NODES, BLOCK_NODES):
        n = (block * NODES + step + tl.arange(0, BLOCK_NODES)).to(tl.int64)
        inside = (n < nodes)[:, None] & (c < channels)[None, :]
        place = n[:, None] * channels + c[None, :]
        for e in range(tl.load(start + p), tl.load(start + p + 1)):
            x = tl.load(a + tl.load(index + e) * row + place, mask=inside, other=0.0)
            y = tl.load(b + tl.load(index + entries + e) * row + place, mask=inside, other=0.0)
            z = tl.load(g + tl.load(index + 2 * entries + e) * row + place, mask=inside, other=0.0)
            total += tl.load(value + e) * x * y * z
    place = (block * paths + p) * channels + c
    tl.store(partial + place, tl.sum(total, axis=0), mask=c < channels)

"""The operators as compiled loops on the CPU (Numba, no compiler needed).

Four nodes and sixteen channels at a time are copied side by side, 64 numbers per component, so
that they lie in the first-level cache whatever the strides of the tensors. Inside, every output's
sum stays in registers while the table's nonzeros pass (:mod:`.lanes`): three reads for a
multiplication and a fused multiply–add, which is about what a core can read. Nothing is set to
zero first and every output is written once.

All channels of all nodes are independent and summed in the table's order: neither the number
of nodes nor that of channels changes a bit. The loops use one thread and release Python's lock:
several molecules run side by side in :mod:`namd.nn.parallel`.

Numba keeps the machine code between processes and looks for changes in this file only: after an
edit of ``lanes.py`` remove ``__pycache__``.
"""

from pathlib import Path
from typing import no_type_check

import numba as nb
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from namd.nn.fusion.backends.lanes import (
    address,
    load,
    plus,
    repeated,
    spread,
    store,
    times,
    zeros,
)
from namd.nn.fusion.columns import Columns

_LANES = 16  # channels side by side: one AVX-512 register of floats
_NODES = 4  # nodes side by side, which share the weights read
_BLOCK = _LANES * _NODES
_CUTS = 16  # ranges of nodes that the reduction sums one by one


def product(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    w: Float[Tensor, "path channel"],
    columns: Columns,
) -> Float[Tensor, "output node channel"]:
    """T(a, b, w); see :mod:`namd.nn.fusion.operators`."""
    left, right, weight = (t.contiguous().numpy(force=True) for t in (a, b, w))
    out = torch.empty((columns.sizes[2], *a.shape[1:]), dtype=a.dtype)
    entries = columns.by_output
    value = entries.values[a.dtype]
    _product(left, right, weight, entries.index, entries.start, value, out.numpy())
    return out


def reduction(
    a: Float[Tensor, "first node channel"],
    b: Float[Tensor, "second node channel"],
    g: Float[Tensor, "output node channel"],
    columns: Columns,
) -> Float[Tensor, "path channel"]:
    """∂⟨g, T(a, b, w)⟩/∂w."""
    left, right, output = (t.contiguous().numpy(force=True) for t in (a, b, g))
    out = torch.empty((columns.paths, a.shape[2]), dtype=a.dtype)
    entries = columns.by_path
    value = entries.values[a.dtype]
    _reduction(left, right, output, entries.index, entries.start, value, out.numpy())
    return out


def cache_folder() -> Path:
    """Folder in which the compiled loops are kept (``NUMBA_CACHE_DIR``, else beside this file)."""
    return Path(_product.stats.cache_path)


@nb.njit(cache=True, nogil=True)
@no_type_check
def _product(a, b, w, index, start, value, out):  # noqa: PLR0917  (Numba: no keywords)
    """out[k, n, c] = Σ_e (value[e] w[path_e, c]) a[first_e, n, c] b[second_e, n, c].

    The entries of output k are start[k] … start[k + 1] − 1; rows of ``index``: first, second, path.
    """
    channels = a.shape[2]
    entries = value.shape[0]
    blocks = -(-channels // _LANES)
    weight = scratch(blocks * entries * _LANES, a)
    for q in range(blocks):
        for e in range(entries):
            for lane in range(_LANES):
                c = q * _LANES + lane
                scaled = value[e] * w[index[2, e], c] if c < channels else value[e]
                weight[(q * entries + e) * _LANES + lane] = scaled
    x = scratch(a.shape[0] * _BLOCK, a)
    y = scratch(b.shape[0] * _BLOCK, a)
    z = scratch(out.shape[0] * _BLOCK, a)
    nodes = np.empty(_NODES, np.int64)
    for n in range(0, a.shape[1], _NODES):
        for m in range(_NODES):
            nodes[m] = n + m if n + m < a.shape[1] else -1
        for q in range(blocks):
            _gather(a, nodes, q * _LANES, x)
            _gather(b, nodes, q * _LANES, y)
            for k in range(out.shape[0]):
                total = zeros(z, _BLOCK)
                for e in range(start[k], start[k + 1]):
                    factor = repeated(load(weight, (q * entries + e) * _LANES, _LANES), _NODES)
                    left = times(factor, load(x, index[0, e] * _BLOCK, _BLOCK))
                    total = plus(total, times(left, load(y, index[1, e] * _BLOCK, _BLOCK)))
                store(z, k * _BLOCK, total)
            _scatter(z, nodes, q * _LANES, out)


@nb.njit(cache=True, nogil=True)
@no_type_check
def _reduction(a, b, g, index, start, value, out):  # noqa: PLR0917
    """out[p, c] = Σ_n Σ_e value[e] a[first_e, n, c] b[second_e, n, c] g[output_e, n, c].

    The entries of path p are start[p] … start[p + 1] − 1; rows of ``index``: first, second, output.
    Contiguous ranges of nodes are summed apart, four of them side by side, and added up at the end:
    sums of sums lose fewer digits than one long one.
    """
    channels = a.shape[2]
    paths = out.shape[0]
    blocks = -(-channels // _LANES)
    x = scratch(a.shape[0] * _BLOCK, a)
    y = scratch(b.shape[0] * _BLOCK, a)
    z = scratch(g.shape[0] * _BLOCK, a)
    totals = scratch(blocks * paths * _BLOCK, a)
    nodes = np.empty(_NODES, np.int64)
    out[:] = 0
    for t in range(0, _CUTS, _NODES):
        totals[:] = 0
        for step in range(-(-a.shape[1] // _CUTS)):
            for m in range(_NODES):
                n = (t + m) * a.shape[1] // _CUTS + step
                nodes[m] = n if n < (t + m + 1) * a.shape[1] // _CUTS else -1
            for q in range(blocks):
                _gather(a, nodes, q * _LANES, x)
                _gather(b, nodes, q * _LANES, y)
                _gather(g, nodes, q * _LANES, z)
                for p in range(paths):
                    total = load(totals, (q * paths + p) * _BLOCK, _BLOCK)
                    for e in range(start[p], start[p + 1]):
                        factor = spread(value[e], _BLOCK)
                        left = times(factor, load(x, index[0, e] * _BLOCK, _BLOCK))
                        pair = times(left, load(y, index[1, e] * _BLOCK, _BLOCK))
                        total = plus(total, times(pair, load(z, index[2, e] * _BLOCK, _BLOCK)))
                    store(totals, (q * paths + p) * _BLOCK, total)
        for m in range(_NODES):
            for p in range(paths):
                for c in range(channels):
                    place = (c // _LANES * paths + p) * _BLOCK + m * _LANES + c % _LANES
                    out[p, c] += totals[place]


@nb.njit(cache=True, nogil=True)
@no_type_check
def scratch(size, like):
    """Memory for ``size`` numbers that begins with a cache line."""
    memory = np.empty(size + 64 // like.itemsize, like.dtype)
    skipped = (-address(memory)) % 64 // like.itemsize
    return memory[skipped : skipped + size]


@nb.njit(cache=True, nogil=True)
@no_type_check
def _gather(source, nodes, c, packed):
    """Copy channels c … c + 15 of some nodes side by side; zeros where there are none (−1)."""
    channels = source.shape[2]
    for i in range(source.shape[0]):
        for m in range(_NODES):
            place = i * _BLOCK + m * _LANES
            if nodes[m] < 0:
                store(packed, place, zeros(packed, _LANES))
            elif c + _LANES <= channels:
                start = (i * source.shape[1] + nodes[m]) * channels + c
                store(packed, place, load(source, start, _LANES))
            else:
                for lane in range(_LANES):
                    inside = c + lane < channels
                    packed[place + lane] = source[i, nodes[m], c + lane] if inside else 0


@nb.njit(cache=True, nogil=True)
@no_type_check
def _scatter(packed, nodes, c, target):
    """Copy what :func:`_gather` would have gathered back to where it belongs."""
    channels = target.shape[2]
    for k in range(target.shape[0]):
        for m in range(_NODES):
            place = k * _BLOCK + m * _LANES
            if nodes[m] < 0:
                continue
            if c + _LANES <= channels:
                start = (k * target.shape[1] + nodes[m]) * channels + c
                store(target, start, load(packed, place, _LANES))
            else:
                for lane in range(channels - c):
                    target[k, nodes[m], c + lane] = packed[place + lane]

"""Compiled loops over edges (Numba, CPU): what :mod:`namd.nn.published.edge_form` consists of.

An edge is dealt with from start to end while its rows are in the first-level cache: nothing of the
size edges × paths × components is ever written. Channels go side by side
(:mod:`namd.nn.fusion.backends.lanes`), and their number is a multiple of the width. Edges that are
not ``within`` are passed over. One thread, without Python's lock; sums run in a fixed order.

Every loop is there in two widths.
"""

from functools import cache
from typing import Any, no_type_check

import numba as nb
import numpy as np

from namd.nn.fusion.backends.lanes import load, plus, spread, store, summed, times, zeros
from namd.nn.fusion.backends.numba_cpu import scratch

NARROW, WIDE = 16, 64
"""Channels side by side: one AVX-512 register of floats, or four."""


@cache
def rows_loop(width: int) -> Any:
    """Loop that adds to the rows of one leg what the other two and the harmonics make."""

    @nb.njit(cache=True, nogil=True)
    @no_type_check
    def rows(inner, factor, y, within, places, entries, value, groups, out):  # noqa: PLR0917
        """Add to ``out``.

        Legs are [molecule, row, component, channel]; ``places``: the row that an edge has in inner,
        factor and out; ``entries``: components of inner and y of every nonzero; ``groups``: first
        entry, component of factor, component of out.
        """
        channels = inner.shape[3]
        scaled = np.empty(value.shape[0], value.dtype)
        for b, i, j in np.ndindex(within.shape):
            if not within[b, i, j]:
                continue
            for n in range(value.shape[0]):
                scaled[n] = value[n] * y[b, i, j, entries[1, n]]
            x = (b * inner.shape[1] + places[0, i, j]) * inner.shape[2] * channels
            f = (b * factor.shape[1] + places[1, i, j]) * factor.shape[2] * channels
            o = (b * out.shape[1] + places[2, i, j]) * out.shape[2] * channels
            for c in range(0, channels, width):
                for g in range(groups.shape[1] - 1):
                    total = zeros(out, width)
                    for n in range(groups[0, g], groups[0, g + 1]):
                        row = load(inner, x + entries[0, n] * channels + c, width)
                        total = plus(total, times(spread(scaled[n], width), row))
                    place = o + groups[2, g] * channels + c
                    total = times(total, load(factor, f + groups[1, g] * channels + c, width))
                    store(out, place, plus(load(out, place, width), total))

    return rows


@cache
def harmonics_loop(width: int) -> Any:
    """Loop that finds what multiplies the harmonics of every edge."""

    @nb.njit(cache=True, nogil=True)
    @no_type_check
    def harmonics(inner, factor, last, within, places, entries, value, start, groups, out):  # noqa: PLR0917
        """Set out[b, i, j, m].

        ``places`` of inner, factor and last; ``entries``: component of inner and group of every
        nonzero, sorted by harmonic; ``start`` of each harmonic; ``groups`` as in ``rows``.
        """
        channels = inner.shape[3]
        products = scratch(groups.shape[1] * width, inner)
        sums = scratch(out.shape[3] * width, inner)
        for b, i, j in np.ndindex(within.shape):
            if not within[b, i, j]:
                continue
            x = (b * inner.shape[1] + places[0, i, j]) * inner.shape[2] * channels
            f = (b * factor.shape[1] + places[1, i, j]) * factor.shape[2] * channels
            o = (b * last.shape[1] + places[2, i, j]) * last.shape[2] * channels
            sums[:] = 0
            for c in range(0, channels, width):
                for g in range(groups.shape[1] - 1):
                    row = load(factor, f + groups[1, g] * channels + c, width)
                    other = load(last, o + groups[2, g] * channels + c, width)
                    store(products, g * width, times(row, other))
                for m in range(out.shape[3]):
                    total = load(sums, m * width, width)
                    for n in range(start[m], start[m + 1]):
                        row = load(inner, x + entries[0, n] * channels + c, width)
                        row = times(row, load(products, entries[1, n] * width, width))
                        total = plus(total, times(spread(value[n], width), row))
                    store(sums, m * width, total)
            for m in range(out.shape[3]):
                out[b, i, j, m] = summed(load(sums, m * width, width))

    return harmonics

"""Compiled CPU loops of the trilinear Clebsch–Gordan product (Numba, no compiler needed).

Both loops run over the nonzeros of a coupling table inside a node, with channels contiguous, so
that one node's rows stay in the first-level cache and the innermost loop is vectorised.
They use one thread and release Python's lock: several molecules run side by side in
:mod:`namd.nn.parallel`.
"""

from typing import no_type_check

import numba as nb
import numpy as np


@nb.njit(fastmath=True, cache=True, nogil=True)
@no_type_check
def product(a, b, first, second, output, weight, out):  # noqa: PLR0917  (Numba: no keywords)
    """Accumulate out[k, n, c] += Σ_e weight[e, c] a[i_e, n, c] b[j_e, n, c] over nonzeros e."""
    nodes = a.shape[1]
    channels = a.shape[2]
    for n in range(nodes):
        for e in range(first.shape[0]):
            x = a[first[e], n]
            y = b[second[e], n]
            w = weight[e]
            z = out[output[e], n]
            for c in range(channels):
                z[c] += w[c] * x[c] * y[c]


@nb.njit(fastmath=True, cache=True, nogil=True)
@no_type_check
def reduction(a, b, g, first, second, output, value, path, blocks):  # noqa: PLR0917
    """Accumulate blocks[t, p_e, c] += v_e Σ_n a[i_e, n, c] b[j_e, n, c] g[k_e, n, c].

    ``blocks`` has one slice per contiguous range of nodes; their sum is the result. Sums of sums
    lose fewer digits than one long one.
    """
    cuts = blocks.shape[0]
    nodes = a.shape[1]
    channels = a.shape[2]
    for t in range(cuts):
        total = blocks[t]
        for n in range(t * nodes // cuts, (t + 1) * nodes // cuts):
            for e in range(first.shape[0]):
                x = a[first[e], n]
                y = b[second[e], n]
                z = g[output[e], n]
                row = total[path[e]]
                v = value[e]
                for c in range(channels):
                    row[c] += v * x[c] * y[c] * z[c]


def empty_like_components(count: int, template: np.ndarray) -> np.ndarray:
    """A zeroed array with ``count`` components and the node and channel axes of ``template``."""
    return np.zeros((count, *template.shape[1:]), dtype=template.dtype)

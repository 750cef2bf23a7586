"""Two coupled states of a bent molecule of three atoms: a labelling engine for tests.

W has a parabola in all three distances for each state, and couples them by the difference of the
first two: smooth, invariant, and learned by any network. Every call leaves a line in ``calls``.
"""

import time
from pathlib import Path

import numpy as np

PAIRS = ((0, 1), (0, 2), (1, 2))
FORCE = np.array([0.25, 0.25, 0.08])
MINIMA = np.array([[2.1, 2.1, 3.3], [2.2, 2.2, 3.9]])
OFFSET, COUPLING = 0.05, 0.03


def label(symbols, positions, *, calls=None, seconds=0.0, fail_above=None):
    """Energies, gradients and h of one geometry, atomic units."""
    if calls is not None:
        with Path(calls).open("a") as stream:
            stream.write(f"{positions[1, 0]:.9f}\n")
    time.sleep(seconds)
    lengths, slopes = np.zeros(3), np.zeros((3, 3, 3))
    for k, (i, j) in enumerate(PAIRS):
        vector = positions[i] - positions[j]
        lengths[k] = np.linalg.norm(vector)
        slopes[k, i], slopes[k, j] = vector / lengths[k], -vector / lengths[k]
    if fail_above is not None and lengths.max() > fail_above:
        raise RuntimeError("no convergence in 50 iterations")
    away = lengths - MINIMA
    matrix, gradient = np.zeros((2, 2)), np.zeros((2, 2, 3, 3))
    for state in range(2):
        matrix[state, state] = (FORCE * away[state] ** 2).sum() + OFFSET * state - 39.0
        gradient[state, state] = np.einsum("p,pax->ax", 2 * FORCE * away[state], slopes)
    matrix[0, 1] = matrix[1, 0] = COUPLING * (lengths[0] - lengths[1])
    gradient[0, 1] = gradient[1, 0] = COUPLING * (slopes[0] - slopes[1])
    energies, states = np.linalg.eigh(matrix)
    rotated = np.einsum("ki,klax,lj->ijax", states, gradient, states)
    return {
        "energies": energies,
        "gradients": np.stack([rotated[0, 0], rotated[1, 1]]),
        "coupling": rotated[0, 1],
    }

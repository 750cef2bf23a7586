"""Two crossing parabolas along a bond, coupled by its sideways tilt: a labelling engine for tests.

``energies`` grow by 1e-9 with every warm start behind them, so that a label tells its place in a
chain; every call leaves a line in the file ``calls``.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np

FORCE, FIRST, SECOND, OFFSET, COUPLING = 0.05, 1.2, 1.8, 0.01, 0.02


def label(symbols, positions, *, guess=None, calls=None, seconds=0.0, fail=(), die=(), wrong=0.0):
    """Everything of one geometry, atomic units; it fails or dies where the bond is so long."""
    bond = positions[1] - positions[0]
    if calls is not None:
        with Path(calls).open("a") as stream:
            stream.write(f"{bond[2]:.6f}\n")
    if any(abs(bond[2] - length) < 1e-6 for length in die):
        os.kill(os.getpid(), signal.SIGKILL)
    if any(abs(bond[2] - length) < 1e-6 for length in fail):
        raise RuntimeError("no convergence in 50 iterations")
    time.sleep(seconds)
    warm = 0 if guess is None else guess["starts"] + 1
    first, second = bond[2] - FIRST, bond[2] - SECOND
    tilt = COUPLING * bond[1]
    matrix = np.array([[FORCE * first**2, tilt], [tilt, FORCE * second**2 + OFFSET]])
    gradient = np.zeros((2, 2, 2, 3))
    gradient[0, 0, 1, 2], gradient[1, 1, 1, 2] = 2 * FORCE * first, 2 * FORCE * second
    gradient[0, 1, 1, 1] = gradient[1, 0, 1, 1] = COUPLING
    gradient[:, :, 0] = -gradient[:, :, 1]
    energies, states = np.linalg.eigh(matrix)
    rotated = np.einsum("ki,klax,lj->ijax", states, gradient, states)
    return {
        "energies": energies + 1e-9 * warm,
        "gradients": np.stack([rotated[0, 0], rotated[1, 1]]) + wrong,
        "coupling": rotated[0, 1],
        "matrix": matrix,
        "guess": {"starts": warm, "orbitals": states, "path": ("a", 1)},
    }

"""The Hessian of any state of a potential or an engine, by central differences of its gradients.

∂²E/∂R_i∂R_j = [g_i(R + s e_j) − g_i(R − s e_j)] / 2s, one geometry after another, so that an engine
starts each from the orbitals of the one before.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from namd.potentials.calculator import Electronics
from namd.sampling.relaxation import check_state

STEP = 0.01
"""Bohr: the error of third derivatives and that of gradients converged to 1e-6 are alike small."""


def numerical_hessian(
    electronics: Electronics,
    positions: Float[np.ndarray, "atom 3"],
    *,
    state: int = 0,
    step: float = STEP,
    done: Callable[[], None] = lambda: None,
) -> Float[np.ndarray, "coordinate coordinate"]:
    """Differentiate the gradient of one state, 6 geometries per atom.

    Parameters
    ----------
    electronics
        Energies and gradients of all states.
    positions
        Where, Bohr.
    state
        0-based, in the order of energies.
    step
        Of the differences, Bohr.
    done
        Called after every geometry.

    Returns
    -------
    numpy.ndarray
        Flattened over (atom, xyz), symmetrised, Hartree/Bohr².

    Raises
    ------
    ConfigError
        If there is no such state.
    """

    def gradient(shift: np.ndarray) -> np.ndarray:
        gradients = electronics(positions + shift.reshape(positions.shape)).gradients
        check_state(state, len(gradients))
        done()
        found: np.ndarray = gradients[state].ravel()
        return found

    rows = [
        (gradient(shift) - gradient(-shift)) / (2.0 * step)
        for shift in step * np.eye(positions.size)
    ]
    hessian = np.stack(rows)
    return np.asarray(0.5 * (hessian + hessian.T))

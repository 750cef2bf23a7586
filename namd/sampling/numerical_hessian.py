"""The Hessian of any state of a potential or an engine, by central differences of its gradients.

∂²E/∂R_i∂R_j = [g_i(R + s e_j) − g_i(R − s e_j)] / 2s, symmetrised; of equivalent atoms one alone
is moved where the symmetry is given (:mod:`namd.sampling.symmetry`).
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from namd.potentials.calculator import Electronics
from namd.sampling.relaxation import check_state
from namd.sampling.symmetry import Operation, complete_hessian, representatives

STEP = 0.01
"""Bohr: the error of third derivatives and that of gradients converged to 1e-6 are alike small."""


def displacements(
    positions: Float[np.ndarray, "atom 3"],
    *,
    operations: Sequence[Operation] = (),
    step: float = STEP,
) -> Float[np.ndarray, "displaced atom 3"]:
    """Every coordinate moved by +s and by −s: R + s e_0, R − s e_0, R + s e_1 and so on.

    Parameters
    ----------
    positions
        Where to differentiate, Bohr.
    operations
        Its symmetry, the identity included; none: every atom is moved.
    step
        Of the differences, Bohr.

    Returns
    -------
    numpy.ndarray
        Six geometries per atom that is moved, Bohr.
    """
    shifts = step * np.eye(positions.size).reshape(len(positions), 3, *positions.shape)
    if operations:
        shifts = shifts[representatives(operations)]
    shifts = shifts.reshape(-1, *positions.shape)
    return np.stack([positions + shifts, positions - shifts], axis=1).reshape(-1, *positions.shape)


def hessian_of(
    gradients: Float[np.ndarray, "displaced atom 3"],
    *,
    operations: Sequence[Operation] = (),
    step: float = STEP,
) -> Float[np.ndarray, "coordinate coordinate"]:
    """Differentiate gradients at the :func:`displacements`.

    Parameters
    ----------
    gradients
        Of one state, in the order of the displacements, Hartree/Bohr.
    operations, step
        Those of the displacements.

    Returns
    -------
    numpy.ndarray
        Flattened over (atom, xyz), symmetrised, Hartree/Bohr².
    """
    pairs = gradients.reshape(len(gradients) // 2, 2, -1)
    hessian = (pairs[:, 0] - pairs[:, 1]) / (2.0 * step)
    if operations:
        return complete_hessian(hessian.reshape(-1, 3, *gradients.shape[1:]), operations)
    return np.asarray(0.5 * (hessian + hessian.T))


def numerical_hessian(
    electronics: Electronics,
    positions: Float[np.ndarray, "atom 3"],
    *,
    state: int = 0,
    step: float = STEP,
    done: Callable[[], None] = lambda: None,
) -> Float[np.ndarray, "coordinate coordinate"]:
    """Differentiate the gradient of one state, one geometry after another.

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

    def gradient(displaced: np.ndarray) -> np.ndarray:
        gradients = electronics(displaced).gradients
        check_state(state, len(gradients))
        done()
        found: np.ndarray = gradients[state]
        return found

    return hessian_of(
        np.stack([gradient(displaced) for displaced in displacements(positions, step=step)]),
        step=step,
    )

"""Minimum of any adiabatic state, S1 for instance, of a potential or an engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from namd.errors import ConfigError
from namd.potentials.calculator import Electronics, StateProperties
from namd.sampling.descent import descend
from namd.sampling.lindh import lindh_hessian

FORCE_TOLERANCE = 1e-4
"""Hartree/Bohr; 0.005 eV/Å."""
MAX_STEPS = 500
_SOFTEST = 0.02
"""Hartree/Bohr²: the first step assumes no less in any direction."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StationaryPoint:
    """Where a search ended.

    Parameters
    ----------
    positions
        Bohr.
    properties
        Electronic structure there.
    """

    positions: Float[np.ndarray, "atom 3"]
    properties: StateProperties


def relax_state(
    electronics: Electronics,
    atomic_numbers: Int[np.ndarray, " atom"],
    positions: Float[np.ndarray, "atom 3"],
    *,
    state: int,
    tolerance: float = FORCE_TOLERANCE,
    max_steps: int = MAX_STEPS,
    constraints: Sequence[Any] = (),
) -> StationaryPoint:
    """Follow the force of one state to its next minimum.

    Parameters
    ----------
    electronics
        Energies and gradients of all states.
    atomic_numbers, positions
        Where to start, Bohr.
    state
        0-based, in the order of energies.
    tolerance
        Largest force left on an atom, Hartree/Bohr.
    max_steps
        Number of steps after which to give up. Where the minimum is an intersection with the
        state below no force vanishes: that is for :mod:`namd.sampling.intersection`.
    constraints
        Constraints of ASE, e.g. fixed torsions.

    Raises
    ------
    ConfigError
        If there is no such state.
    PhysicsError
        If no minimum is reached.
    """

    def field(place: np.ndarray) -> np.ndarray:
        gradients = electronics(place).gradients
        check_state(state, len(gradients))
        chosen: np.ndarray = gradients[state]
        return chosen

    found = descend(
        field,
        atomic_numbers,
        positions,
        tolerance=tolerance,
        max_steps=max_steps,
        where=f"minimum of S{state}",
        constraints=constraints,
        hessian=lindh_hessian(atomic_numbers, positions) + _SOFTEST * np.eye(positions.size),
    )
    return StationaryPoint(positions=found, properties=electronics(found))


def check_state(state: int, count: int) -> None:
    """Refuse a state that is not computed.

    Raises
    ------
    ConfigError
        If there are no more than ``state`` of them.
    """
    if not 0 <= state < count:
        raise ConfigError(
            f"there is no state {state}",
            where="state",
            hint=f"{count} are computed, numbered from 0",
        )

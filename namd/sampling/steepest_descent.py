r"""The path of steepest descent on one state, e.g. from the Franck–Condon point of S1.

In mass-weighted coordinates q = √m r the path goes down the gradient with unit speed,

.. math::  dq/ds = -\nabla E_k / |\nabla E_k|

(the intrinsic reaction coordinate if it begins at a saddle), so that s is its length. Along the
floor of a valley this is stiff: it is followed by an implicit method (backward differences of
varying order, SciPy), whose Newton steps go by an estimated Hessian
(:mod:`namd.sampling.lindh`), so that a path takes a few hundred gradients. It ends at a minimum, or
where the state meets the one below: there the gradient turns, and the way on is not its own.

References
----------
K. Fukui, Acc. Chem. Res. 14 (1981) 363, DOI 10.1021/ar00072a001.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from namd.errors import PhysicsError
from namd.molecule import Molecule
from namd.potentials.calculator import Electronics, StateProperties
from namd.sampling.lindh import lindh_hessian
from namd.sampling.relaxation import check_state

TOLERANCE = 0.2
"""Of a step, Bohr·√mₑ: 0.005 Bohr of a proton, a third of that of a carbon."""
_RELATIVE = 1e-9  # none: coordinates have no origin
_SOFTEST = 0.02
_FIRST_STEP = 1.0
_NEAR = 5.0

MINIMUM, INTERSECTION, LENGTH = "minimum", "intersection", "length"
"""Where a path may end."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DescentPath:
    """Points of a path.

    Parameters
    ----------
    positions
        Bohr; evenly spread along the path, both ends included.
    length
        s of every point, Bohr·√mₑ.
    energies
        Of all states, Hartree.
    end
        ``minimum``, ``intersection`` (with the state below) or ``length`` (as far as was asked).
    gradients
        How many geometries were computed to find it.
    """

    positions: Float[np.ndarray, "point atom 3"]
    length: Float[np.ndarray, " point"]
    energies: Float[np.ndarray, "point state"]
    end: str
    gradients: int


def steepest_descent(
    electronics: Electronics,
    molecule: Molecule,
    positions: Float[np.ndarray, "atom 3"],
    *,
    state: int,
    length: float,
    points: int,
    force_tolerance: float,
    gap_tolerance: float,
    done: Callable[[int], None] = lambda _: None,
) -> DescentPath:
    """Follow the gradient of a state downhill.

    Parameters
    ----------
    electronics
        Energies and gradients of all states.
    molecule, positions
        Where to begin, Bohr.
    state
        0-based, in the order of energies.
    length
        Of the path at most, Bohr·√mₑ.
    points
        How many are kept, two at least.
    force_tolerance
        The path has ended where the largest force on an atom is smaller, Hartree/Bohr.
    gap_tolerance
        Or where the gap to the state below is, Hartree.
    done
        Called with the number of geometries computed so far.

    Raises
    ------
    ConfigError
        If there is no such state.
    PhysicsError
        If there is no path: the start is a minimum or an intersection itself, or steps fail.
    """
    field = _Field(electronics, molecule, state=state, done=done)

    def slope(_s: float, q: np.ndarray) -> np.ndarray:
        return -field.direction(q)[0]

    def curvature(_s: float, q: np.ndarray) -> np.ndarray:
        along, size = field.direction(q)
        hessian = field.estimated_hessian(q)
        return np.asarray(-(hessian - np.outer(along, along @ hessian)) / size)

    def at_minimum(_s: float, q: np.ndarray) -> float:
        return field.largest_force(q) - force_tolerance

    def at_intersection(_s: float, q: np.ndarray) -> float:
        return field.gap_below(q) - gap_tolerance

    events = [at_minimum, at_intersection]
    for event in events:
        event.terminal = True  # type: ignore[attr-defined]  # so SciPy wants it
    begin = field.weighted(positions)
    if min(event(0.0, begin) for event in events) <= 0:
        raise PhysicsError(
            "the path ends where it begins: no force, or no gap to the state below",
            where=f"steepest descent on S{state}",
            hint="start elsewhere",
        )
    solved: Any = solve_ivp(
        slope,
        (0.0, length),
        begin,
        method="BDF",
        jac=curvature,
        events=events,
        rtol=_RELATIVE,
        atol=TOLERANCE,
        first_step=min(_FIRST_STEP, length),
        dense_output=True,
    )
    ends = [*(len(times) > 0 for times in solved.t_events), solved.status == 0]
    if solved.status < 0:  # steps of any length cross an intersection: there the gradient turns
        if field.gap_below(solved.y[:, -1]) > _NEAR * gap_tolerance:
            raise PhysicsError(
                f"the path cannot be followed: {solved.message}",
                where=f"steepest descent on S{state}",
                hint="is the gradient smooth there? An intersection with the state above turns it",
            )
        ends[1] = True
    lengths = np.linspace(0.0, solved.t[-1], points)
    places = [field.unweighted(solved.sol(s)) for s in lengths]
    places[0] = positions
    energies = [field.properties(field.weighted(place)).energies for place in places]
    return DescentPath(
        positions=np.stack(places),
        length=lengths,
        energies=np.stack(energies),
        end=(MINIMUM, INTERSECTION, LENGTH)[ends.index(True)],
        gradients=field.computed,
    )


class _Field:
    """A state's gradient in mass-weighted coordinates; the last geometry is not computed twice."""

    def __init__(
        self,
        electronics: Electronics,
        molecule: Molecule,
        *,
        state: int,
        done: Callable[[int], None],
    ) -> None:
        self._electronics = electronics
        self._molecule = molecule
        self._state = state
        self._done = done
        self._roots = np.repeat(molecule.masses, 3) ** 0.5
        self._last: tuple[np.ndarray, StateProperties] | None = None
        self.computed = 0

    def weighted(self, positions: np.ndarray) -> np.ndarray:
        """√m r, flat."""
        return np.asarray(positions.ravel() * self._roots)

    def unweighted(self, q: np.ndarray) -> np.ndarray:
        """r, atom by atom."""
        return np.asarray((q / self._roots).reshape(-1, 3))

    def properties(self, q: np.ndarray) -> StateProperties:
        """Everything at a point."""
        if self._last is None or not np.array_equal(self._last[0], q):
            found = self._electronics(self.unweighted(q))
            check_state(self._state, len(found.gradients))
            self._last = q.copy(), found
            self.computed += 1
            self._done(self.computed)
        return self._last[1]

    def direction(self, q: np.ndarray) -> tuple[np.ndarray, float]:
        """Unit vector uphill, and the size of the gradient."""
        gradient = self.properties(q).gradients[self._state].ravel() / self._roots
        size = float(np.linalg.norm(gradient))
        return gradient / size, size

    def largest_force(self, q: np.ndarray) -> float:
        """On any atom."""
        return float(np.linalg.norm(self.properties(q).gradients[self._state], axis=1).max())

    def gap_below(self, q: np.ndarray) -> float:
        """To the next lower state; infinite for the lowest."""
        if self._state == 0:
            return float("inf")
        energies = self.properties(q).energies
        return float(energies[self._state] - energies[self._state - 1])

    def estimated_hessian(self, q: np.ndarray) -> np.ndarray:
        """Lindh's, mass-weighted."""
        hessian = lindh_hessian(self._molecule.atomic_numbers, self.unweighted(q))
        softened = hessian + _SOFTEST * np.eye(len(q))
        return np.asarray(softened / np.outer(self._roots, self._roots))

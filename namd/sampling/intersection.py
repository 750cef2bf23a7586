r"""Minimum-energy point of a seam of conical intersections.

*Gradient projection*, where there are couplings: the mean energy is minimised in the space
orthogonal to the branching plane, while the gap is closed within it,

.. math:: f = (1 - Q)\,\nabla\tfrac12(E_0 + E_1) - k\, r_\times .

Q projects on the plane of g and h. Bearpark and co-workers push along the gap with
2(E₁ − E₀) x/|x|, which turns about the cone. Here r× is the shortest way to the seam of the linear
two-state model of the point, g·r = −(E₁ − E₀)/2 and h·r = 0: a field that is smooth through the
intersection, with the curvature k in the whole plane. The zeros are the same.

*Penalty function*, from energies and gradients alone: minima of

.. math:: \tfrac12(E_0 + E_1) + \sigma\,\frac{(E_1 - E_0)^2}{E_1 - E_0 + \alpha}

with σ growing until the gap is closed.

References
----------
M. J. Bearpark, M. A. Robb, H. B. Schlegel, Chem. Phys. Lett. 223, 269 (1994),
DOI 10.1016/0009-2614(94)00433-1.
B. G. Levine, J. D. Coe, T. J. Martínez, J. Phys. Chem. B 112, 405 (2008), DOI 10.1021/jp0761618.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize

from namd.errors import ConfigError, PhysicsError
from namd.potentials.calculator import Electronics, StateProperties
from namd.sampling.branching_plane import BranchingPlane, branching_plane
from namd.sampling.descent import STIFFNESS, descend
from namd.sampling.relaxation import FORCE_TOLERANCE, MAX_STEPS, check_state
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

GAP_TOLERANCE = 1e-3 / EV_PER_HARTREE
"""Hartree; 1 meV."""
SMOOTHING = 0.02
"""α of the penalty, Hartree."""
FIRST_PENALTY, LAST_PENALTY, GROWTH = 3.5, 1e7, 4.0
"""σ, and its growth from one minimisation to the next."""
_SAME_DIRECTION = 1e-4
_LONGEST_WAY = 0.5
_REFINEMENTS = 4
_SLACK, _FINEST = 2.0, 2e-6
"""What rounded energies may leave a penalised search with: times the tolerance, Hartree/Bohr."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Intersection:
    """Where a search for an intersection ended.

    Parameters
    ----------
    positions
        Bohr.
    properties
        Electronic structure there.
    lower
        The lower of the two states, 0-based.
    method
        ``projection`` or ``penalty``.
    plane
        Branching plane; ``None`` without couplings, or where the two directions are one.
    """

    positions: Float[np.ndarray, "atom 3"]
    properties: StateProperties
    lower: int
    method: str
    plane: BranchingPlane | None

    @property
    def gap(self) -> float:
        """What is left of it, Hartree."""
        return float(
            self.properties.energies[self.lower + 1] - self.properties.energies[self.lower]
        )


def find_intersection(
    electronics: Electronics,
    atomic_numbers: Int[np.ndarray, " atom"],
    positions: Float[np.ndarray, "atom 3"],
    *,
    lower: int = 0,
    method: str | None = None,
    tolerance: float = FORCE_TOLERANCE,
    gap_tolerance: float = GAP_TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Intersection:
    """Search for the minimum-energy conical intersection of two neighbouring states.

    Parameters
    ----------
    electronics
        Energies, gradients and, if there are any, couplings.
    atomic_numbers, positions
        Where to start, Bohr.
    lower
        The lower of the two states, 0-based.
    method
        ``projection`` or ``penalty``; by default the former where there are couplings.
    tolerance
        Largest gradient left on an atom, Hartree/Bohr. By projection it bounds the way to the
        seam, too: k r× is part of that gradient.
    gap_tolerance
        Largest gap left, Hartree.
    max_steps
        Number of steps (of each minimisation) after which to give up.

    Raises
    ------
    ConfigError
        If there are no two such states, or no couplings for a projection.
    PhysicsError
        If no intersection is found.
    """
    start = electronics(positions)
    check_state(lower + 1, len(start.energies))
    chosen = method or ("penalty" if start.couplings is None else "projection")
    if chosen == "penalty":
        found = _by_penalty(
            electronics,
            positions,
            lower=lower,
            tolerance=tolerance,
            gap_tolerance=gap_tolerance,
            max_steps=max_steps,
        )
    else:
        found = _by_projection(
            electronics,
            atomic_numbers,
            positions,
            lower=lower,
            tolerance=tolerance,
            gap_tolerance=gap_tolerance,
            max_steps=max_steps,
        )
    end = electronics(found)
    result = Intersection(
        positions=found, properties=end, lower=lower, method=chosen, plane=_plane(end, lower)
    )
    if not result.gap < gap_tolerance:
        raise _not_closed(result.gap, lower)
    return result


def projected_gradient(found: StateProperties, *, lower: int) -> Float[np.ndarray, "atom 3"]:
    """The field f of the projection, Hartree/Bohr.

    Parameters
    ----------
    found
        Electronic structure of one geometry.
    lower
        The lower of the two states.

    Raises
    ------
    ConfigError
        If there are no couplings.
    """
    coupling = _coupling(found, lower)
    if coupling is None:
        raise ConfigError(
            "gradient projection needs couplings, and there are none",
            where=_where(lower),
            hint="use the penalty method",
        )
    below, above = found.gradients[lower], found.gradients[lower + 1]
    gap = found.energies[lower + 1] - found.energies[lower]
    rows = np.stack([0.5 * (above - below).ravel(), coupling.ravel()])
    left, sizes, plane = np.linalg.svd(rows, full_matrices=False)
    kept = sizes > _SAME_DIRECTION * sizes[0]
    plane = plane[kept]
    way = plane.T @ (left[:, kept].T @ np.array([-0.5 * gap, 0.0]) / sizes[kept])
    length = float(np.linalg.norm(way))
    if length > _LONGEST_WAY:  # the linear model ends before that
        way *= _LONGEST_WAY / length
    mean = 0.5 * (below + above).ravel()
    field: np.ndarray = mean - plane.T @ (plane @ mean) - STIFFNESS * way
    return field.reshape(below.shape)


def _by_projection(
    electronics: Electronics,
    atomic_numbers: Int[np.ndarray, " atom"],
    positions: Float[np.ndarray, "atom 3"],
    *,
    lower: int,
    tolerance: float,
    gap_tolerance: float,
    max_steps: int,
) -> Float[np.ndarray, "atom 3"]:
    """Descend; over a steep cone, where a small way is a large gap, on to smaller tolerances."""
    place = positions
    for refinement in range(_REFINEMENTS):
        place = descend(
            lambda at: projected_gradient(electronics(at), lower=lower),
            atomic_numbers,
            place,
            tolerance=tolerance / 4.0**refinement,
            max_steps=max_steps,
            where=_where(lower),
        )
        if np.diff(electronics(place).energies[lower : lower + 2])[0] < gap_tolerance:
            break
    return place


def _by_penalty(
    electronics: Electronics,
    positions: Float[np.ndarray, "atom 3"],
    *,
    lower: int,
    tolerance: float,
    gap_tolerance: float,
    max_steps: int,
) -> Float[np.ndarray, "atom 3"]:
    """Minima of the penalised mean energy, each the start of the next."""
    shape, place, penalty, gap = positions.shape, positions.ravel(), FIRST_PENALTY, np.inf
    left = np.inf

    def value_and_gradient(flat: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
        found = electronics(flat.reshape(shape))
        (e0, e1), (g0, g1) = (each[lower : lower + 2] for each in (found.energies, found.gradients))
        gap = e1 - e0
        value = 0.5 * (e0 + e1) + strength * gap**2 / (gap + SMOOTHING)
        slope = strength * (gap**2 + 2.0 * SMOOTHING * gap) / (gap + SMOOTHING) ** 2
        return float(value), (0.5 * (g0 + g1) + slope * (g1 - g0)).ravel()

    while gap > gap_tolerance and penalty < LAST_PENALTY:
        place = minimize(
            value_and_gradient,
            place,
            args=(penalty,),
            jac=True,
            method="BFGS",
            options={"gtol": tolerance, "maxiter": max_steps},
        ).x
        left = float(np.abs(value_and_gradient(place, penalty)[1]).max())
        energies = electronics(place.reshape(shape)).energies
        gap = float(energies[lower + 1] - energies[lower])
        penalty *= GROWTH
    if left > max(_SLACK * tolerance, _FINEST):
        raise PhysicsError(
            f"not converged after {max_steps} steps: a force of "
            f"{left * EV_PER_ANGSTROM_PER_ATOMIC_FORCE:.1e} eV/Å is left along the seam, expected "
            f"{tolerance * EV_PER_ANGSTROM_PER_ATOMIC_FORCE:.1e}",
            where=_where(lower),
            hint="start elsewhere, allow more steps, or a larger tolerance",
        )
    return np.asarray(place.reshape(shape))


def _coupling(found: StateProperties, lower: int) -> Float[np.ndarray, "atom 3"] | None:
    if found.couplings is None:
        return None
    pairs = list(combinations(range(len(found.energies)), 2))
    return np.asarray(found.couplings[pairs.index((lower, lower + 1))])


def _plane(found: StateProperties, lower: int) -> BranchingPlane | None:
    coupling = _coupling(found, lower)
    if coupling is None:
        return None
    return branching_plane(found.gradients[lower], found.gradients[lower + 1], coupling)


def _where(lower: int) -> str:
    return f"intersection of S{lower} and S{lower + 1}"


def _not_closed(gap: float, lower: int) -> PhysicsError:
    return PhysicsError(
        f"a gap of {gap * EV_PER_HARTREE:.4f} eV is left",
        where=_where(lower),
        hint="start nearer to an intersection, or allow a larger gap",
    )

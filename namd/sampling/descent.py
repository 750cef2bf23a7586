"""Walk down a field of forces with ASE's BFGS: minima, constrained minima, intersections.

The quasi-Newton steps use forces alone, no energies, so that the field need not be the gradient of
anything (the projected gradient of a search for an intersection is not). ASE works in eV and Å;
lengths and forces are turned there and back at this border. The first step goes by a Hessian that
is given, or by a multiple of the unit matrix.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize import BFGS
from jaxtyping import Float, Int

from namd.errors import PhysicsError
from namd.units import ANGSTROM_PER_BOHR, EV_PER_ANGSTROM_PER_ATOMIC_FORCE

STIFFNESS = 70.0 / EV_PER_ANGSTROM_PER_ATOMIC_FORCE * ANGSTROM_PER_BOHR
"""Curvature that the first step assumes, Hartree/Bohr²: ASE's 70 eV/Å²."""

Field = Callable[[np.ndarray], np.ndarray]
"""Positions ``[atom, 3]`` (Bohr) → the gradient to walk down, Hartree/Bohr."""


class _FieldCalculator(Calculator):  # type: ignore[misc]  # ASE has no types
    """Forces of a field. ASE logs an energy, which a field has not; BFGS makes no use of it."""

    implemented_properties = ("energy", "forces")

    def __init__(self, field: Field, *, where: str) -> None:
        super().__init__()
        self.field = field
        self.where = where
        self.last: np.ndarray | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("forces",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate the field at the positions of ``atoms``.

        Raises
        ------
        PhysicsError
            If it is exactly the one of the geometry before: there is no curvature to walk by.
        """
        super().calculate(atoms, properties, system_changes)
        gradient = self.field(self.atoms.positions / ANGSTROM_PER_BOHR)
        if self.last is not None and np.array_equal(gradient, self.last):
            raise PhysicsError(
                "the force is the same at two geometries: it leads nowhere",
                where=self.where,
                hint="start elsewhere; is this a potential of a molecule?",
            )
        self.last = gradient
        self.results = {"energy": 0.0, "forces": -gradient * EV_PER_ANGSTROM_PER_ATOMIC_FORCE}


def descend(
    field: Field,
    atomic_numbers: Int[np.ndarray, " atom"],
    positions: Float[np.ndarray, "atom 3"],
    *,
    tolerance: float,
    max_steps: int,
    where: str,
    constraints: Sequence[Any] = (),
    hessian: Float[np.ndarray, "coordinate coordinate"] | None = None,
) -> Float[np.ndarray, "atom 3"]:
    """Follow a field down to where it vanishes.

    Parameters
    ----------
    field
        Gradient at a geometry.
    atomic_numbers, positions
        Where to start, Bohr.
    tolerance
        Longest gradient on an atom that is left, Hartree/Bohr.
    max_steps
        Number of steps after which to give up.
    where
        What is searched for, for messages.
    constraints
        Constraints of ASE that every geometry keeps.
    hessian
        What the first step assumes, Hartree/Bohr², positive definite; :data:`STIFFNESS` times the
        unit matrix if it is not known.

    Returns
    -------
    numpy.ndarray
        The last geometry, Bohr.

    Raises
    ------
    PhysicsError
        If the tolerance is not reached, or the field does not change on the way.
    """
    atoms = Atoms(numbers=atomic_numbers, positions=positions * ANGSTROM_PER_BOHR)
    atoms.calc = _FieldCalculator(field, where=where)
    atoms.set_constraint(list(constraints))
    limit = tolerance * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    with BFGS(atoms, logfile=None) as walk:
        if hessian is not None:
            walk.H0 = hessian * EV_PER_ANGSTROM_PER_ATOMIC_FORCE / ANGSTROM_PER_BOHR
        reached = walk.run(fmax=limit, steps=max_steps)
    if not reached:
        left = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        raise PhysicsError(
            f"not converged after {max_steps} steps: {left:.1e} eV/Å is left, expected {limit:.1e}",
            where=where,
            hint="start elsewhere, allow more steps, or a larger tolerance",
        )
    return np.asarray(atoms.positions / ANGSTROM_PER_BOHR)

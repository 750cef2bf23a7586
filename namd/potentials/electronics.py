"""All states of one geometry at a time, from a potential or a reference engine alike.

Searches for minima and intersections go from one geometry to the next. What they are given is an
:class:`~namd.potentials.calculator.Electronics`, and these two functions make one.
"""

import numpy as np
import torch
from jaxtyping import Float

from namd.errors import PhysicsError
from namd.potentials.calculator import Electronics, StateProperties
from namd.potentials.protocol import Needs, Potential
from namd.qm.protocol import Engine, Guess


def potential_electronics(potential: Potential, *, device: str = "cpu") -> Electronics:
    """Ask a potential for one geometry at a time.

    Parameters
    ----------
    potential
        A model, a committee, an analytic potential.
    device
        Where it is.

    Raises
    ------
    PhysicsError
        By the function returned, where the potential gives no finite numbers.
    """

    def electronics(positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
        geometry = torch.as_tensor(positions[None], dtype=torch.float64, device=device)
        ground = torch.zeros(1, dtype=torch.int64, device=device)
        found = potential.surfaces(geometry, ground, needs=Needs.FORCES | Needs.COUPLINGS)
        if found.forces is None:
            raise PhysicsError(
                "the potential gives the force of the active state only",
                where=potential.describe()["name"],
                hint="a minimum or an intersection needs the forces of all states",
            )
        energies, forces = found.energies[0].cpu().numpy(), found.forces[0].cpu().numpy()
        if not (np.isfinite(energies).all() and np.isfinite(forces).all()):
            raise PhysicsError(
                "energies or forces are not finite",
                where=potential.describe()["name"],
                hint="start from a geometry nearer to those the potential was made for",
            )
        couplings = None if found.couplings is None else found.couplings[0].cpu().numpy()
        return StateProperties(energies=energies, gradients=-forces, couplings=couplings)

    return electronics


def engine_electronics(engine: Engine) -> Electronics:
    """Ask a reference engine, each geometry with the guess of the one before, none twice in turn.

    Parameters
    ----------
    engine
        Of one molecule. An engine without couplings gives ``couplings=None``.

    Raises
    ------
    EngineError
        By the function returned, for a geometry that cannot be computed.
    """
    guess: Guess | None = None
    last: tuple[np.ndarray, StateProperties] | None = None

    def electronics(positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
        nonlocal guess, last
        if last is None or not np.array_equal(last[0], positions):
            answer = engine.label(positions, guess=guess)
            guess = answer.guess
            found = StateProperties(
                energies=answer.label.energies,
                gradients=-answer.label.forces,
                couplings=answer.label.interstate_coupling,
            )
            last = positions.copy(), found
        return last[1]

    return electronics

"""The fastest vibration of what is about to move: what the time step is measured by.

Where initial conditions come from a Hessian it is known. Elsewhere the forces at the first geometry
are differentiated, on the surface that the trajectory starts on; a few batched evaluations. A
program that computes one geometry after another is not asked for so much, and a recorded trajectory
knows no neighbouring geometries: there nothing is known.
"""

import math
from dataclasses import dataclass

import numpy as np

from namd.potentials.calculator import CalculatorPotential
from namd.potentials.protocol import Potential
from namd.potentials.replay import ReplayPotential
from namd.sampling.conditions import InitialConditions
from namd.sampling.model_hessian import model_hessian


@dataclass(frozen=True, kw_only=True)
class FastestVibration:
    """The highest frequency that is known.

    Parameters
    ----------
    frequency
        ω in Hartree (ħ = 1), positive.
    name
        Which vibration it is.
    """

    frequency: float
    name: str


def fastest_vibration(
    made: InitialConditions, potential: Potential, *, device: str = "cpu"
) -> FastestVibration | None:
    """Find the fastest vibration of the initial conditions, or nothing where none is known.

    Parameters
    ----------
    made
        Initial conditions, with the modes they were made of if there were any.
    potential
        Whose forces are differentiated where there were none.
    device
        Of the potential.

    Returns
    -------
    ``None`` for programs, recorded trajectories, a lone atom, and particles that start on a flat
    or downward curved surface.
    """
    if made.modes is not None:
        if not len(made.modes.frequencies):
            return None
        number = int(made.modes.frequencies.argmax())
        frequency = float(made.modes.frequencies[number])
        return _if_it_vibrates(frequency, name=f"mode {number}")
    if isinstance(potential, CalculatorPotential | ReplayPotential):
        return None
    state = int(made.active_state[0])
    hessian = model_hessian(potential, made.positions[0], state=state, device=device)
    if not np.isfinite(hessian).all():
        return None
    root_mass = np.repeat(np.sqrt(potential.molecule.masses), 3)
    curvature = float(np.linalg.eigvalsh(hessian / np.outer(root_mass, root_mass))[-1])
    where = f"from the forces of {potential.states.labels[state]} at the first geometry"
    return _if_it_vibrates(math.sqrt(max(curvature, 0.0)), name=where)


def _if_it_vibrates(frequency: float, *, name: str) -> FastestVibration | None:
    return FastestVibration(frequency=frequency, name=name) if frequency > 0 else None

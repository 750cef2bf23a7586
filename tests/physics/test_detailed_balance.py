"""In thermal equilibrium surface hopping stays there: hops up balance hops down.

Fewest switches with rescaling along the coupling keeps Boltzmann populations of the adiabatic
states to good accuracy, because hops up that the kinetic energy does not suffice for are refused:
P. V. Parandekar, J. C. Tully, J. Chem. Phys. 122 (2005) 094102, DOI 10.1063/1.1856460. Here: a
particle in two displaced, coupled harmonic wells with a gap of about kT. Without refused hops both
states would be filled alike.
"""

import math

import numpy as np
import pytest
import torch

from namd.dynamics.batch import start
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.molecule import Molecule
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

MASS, STIFFNESS, TEMPERATURE = 2000.0, 0.02, 0.01  # atomic units; kT in hartree
GAP, COUPLING, SLOPE = 0.008, 0.002, 0.008
TRAJECTORIES, STEPS = 400, 600


def wells():
    slopes = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    slopes[0, 0, 0, 0], slopes[1, 1, 0, 0] = -SLOPE, SLOPE
    return linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([MASS])),
        StateSpace.singlets(2),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=STIFFNESS,
        energies=torch.tensor([[0.0, COUPLING], [COUPLING, GAP]], dtype=torch.float64),
        slopes=slopes,
    )


def equilibrium(potential):
    """Positions, velocities and states of the canonical ensemble, and the upper population."""
    generator = torch.Generator().manual_seed(5)

    def normal(rows, width):
        return width * torch.randn(rows, 1, 3, dtype=torch.float64, generator=generator)

    points = normal(100_000, math.sqrt(TEMPERATURE / STIFFNESS))
    energies = potential.surfaces(points, torch.zeros(len(points), dtype=torch.int64)).energies
    bowl = 0.5 * STIFFNESS * points.square().sum((1, 2))
    weights = torch.exp(-(energies - bowl[:, None]) / TEMPERATURE)
    upper = (weights[:, 1].sum() / weights.sum()).item()
    drawn = torch.multinomial(weights.flatten(), TRAJECTORIES, generator=generator)
    velocities = normal(TRAJECTORIES, math.sqrt(TEMPERATURE / MASS))
    return points[drawn // 2], velocities, drawn % 2, upper


def test_populations_stay_boltzmann_and_hops_balance():
    potential = wells()
    positions, velocities, states, expected = equilibrium(potential)
    batch = start(potential, positions, velocities, states)
    options = StepOptions(
        timestep=30.0,
        masses=torch.tensor([MASS], dtype=torch.float64),
        seed=3,
    )
    up = down = refused = upper = 0
    for _ in range(STEPS):
        result = step(batch, potential, options)
        batch, hops = result.batch, result.hops
        up += int((hops.accepted & (hops.to_state == 1)).sum())
        down += int((hops.accepted & (hops.to_state == 0)).sum())
        refused += int((hops.attempted & ~hops.accepted).sum())
        upper += int(batch.active_state.sum())
    assert min(up, down, refused) > 500
    assert abs(up - down) < 3 * math.sqrt(up + down)
    assert upper / (STEPS * TRAJECTORIES) == pytest.approx(expected, abs=0.02)

"""A crowded model: three states of a two-atom molecule near intersections, so that many hop."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.step import StepOptions, step
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

MASSES = (1800.0, 3600.0)


@dataclass(frozen=True)
class Crowd:
    """A potential, the start of many trajectories on it, and options that make them hop."""

    potential: DiabaticPotential
    batch: TrajectoryBatch
    options: StepOptions


@pytest.fixture(scope="session", name="crowd")
def make_crowd():
    generator = torch.Generator().manual_seed(11)

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    energies, slopes = 0.004 * noise(3, 3), 0.01 * noise(3, 3, 2, 3)
    potential = linear_vibronic(
        Molecule(atomic_numbers=np.array([1, 1]), masses=np.array(MASSES)),
        StateSpace.singlets(3),
        reference=torch.tensor([[0.0, 0.0, -1.5], [0.0, 0.0, 1.5]], dtype=torch.float64),
        stiffness=0.05,
        energies=energies + energies.T,
        slopes=slopes + slopes.transpose(0, 1),
    )
    traj = 64
    positions = torch.tensor([[0.0, 0.0, -1.5], [0.0, 0.0, 1.5]], dtype=torch.float64)
    batch = start(
        potential,
        positions + 0.3 * noise(traj, 2, 3),
        2e-3 * noise(traj, 2, 3),
        torch.arange(traj) % 3,
        trajectory_id=torch.arange(traj) + 1000,
    )
    options = StepOptions(
        timestep=10.0, masses=torch.tensor(MASSES, dtype=torch.float64), seed=2024
    )
    return Crowd(potential=potential, batch=batch, options=options)


class Flipped:
    """A potential whose states come with other signs at every call, with or without their basis."""

    def __init__(self, inner, seed, *, basis=True):
        self.inner, self.basis = inner, basis
        self.generator = torch.Generator().manual_seed(seed)
        self.molecule, self.states = inner.molecule, inner.states

    def signs(self, *shape):
        bits = torch.randint(0, 2, shape, generator=self.generator, dtype=torch.int64)
        return (2 * bits - 1).to(torch.float64)

    def surfaces(self, positions, active_state, *, needs):
        s = self.inner.surfaces(positions, active_state, needs=needs)
        signs = self.signs(len(positions), len(self.states))
        if s.couplings is not None:
            first, second = torch.triu_indices(len(self.states), len(self.states), offset=1)
            turned = s.couplings * (signs[:, first] * signs[:, second])[:, :, None, None]
            s = replace(s, couplings=turned)
        if not self.basis:
            return replace(s, eigenvectors=None, diabatic_hamiltonian=None)
        return replace(s, eigenvectors=s.eigenvectors * signs[:, None])

    def force(self, positions, state):
        return self.inner.force(positions, state)

    def coupling(self, positions, first, second):
        h = self.inner.coupling(positions, first, second)
        return h * self.signs(len(positions), 1, 1)

    def describe(self):
        return self.inner.describe()


@pytest.fixture(scope="session", name="flipped")
def make_flipped():
    return Flipped


@pytest.fixture(scope="session", name="begin")
def make_begin(crowd):
    def begin(options, potential=None):
        """The crowd at step 0, started for ``options``."""
        b = crowd.batch
        return start(
            potential or crowd.potential,
            b.positions,
            b.velocities,
            b.active_state,
            trajectory_id=b.trajectory_id,
            options=options,
        )

    return begin


@pytest.fixture(scope="session", name="evolve")
def make_evolve():
    def evolve(batch, potential, options, *, steps):
        """Run some steps; the batch at the end and the hop records of all of them."""
        records = []
        for _ in range(steps):
            result = step(batch, potential, options)
            batch = result.batch
            records.append(result.hops)
        return batch, records

    return evolve


class _NeverHop:
    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


@pytest.fixture(scope="session", name="amplitudes_after")
def make_amplitudes_after(crowd, begin):
    """Sizes of the amplitudes of the crowd after a time without any hop or decoherence."""

    def amplitudes_after(electronic, dt, *, time=60.0):
        options = replace(
            crowd.options,
            electronic=electronic,
            timestep=dt,
            hopping=_NeverHop(),
            decoherence=NoDecoherence(),
        )
        batch = begin(options)
        for _ in range(round(time / dt)):
            batch = step(batch, crowd.potential, options).batch
        assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12
        return batch.amplitudes.abs()

    return amplitudes_after

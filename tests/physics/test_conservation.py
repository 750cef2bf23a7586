"""Total energy, time order and gauge of whole trajectories on Tully's models."""

from dataclasses import replace

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from namd.dynamics.batch import start, total_energy
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.step import StepOptions, step
from namd.potentials.tully import MASS, tully

MASSES = torch.tensor([MASS], dtype=torch.float64)


def launch(potential, *, traj, momentum=20.0, x=-5.0):
    positions = torch.zeros(traj, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = x
    velocities = torch.zeros_like(positions)
    velocities[:, 0, 0] = momentum / MASS
    return start(potential, positions, velocities, torch.zeros(traj, dtype=torch.int64))


def options(timestep, **changes):
    return StepOptions(timestep=timestep, masses=MASSES, seed=7, **changes)


class NeverHop:
    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


def largest_error(timestep, *, time=600.0):
    potential = tully(2)
    batch = launch(potential, traj=1, momentum=20.0, x=-3.0)
    worst = 0.0
    for _ in range(round(time / timestep)):
        batch = step(batch, potential, options(timestep, hopping=NeverHop())).batch
        error = total_energy(batch, MASSES) - batch.initial_total_energy
        worst = max(worst, error.abs().item())
    return worst


def test_energy_error_is_of_second_order_in_the_time_step():
    coarse, fine, finest = (largest_error(dt) for dt in (12.0, 6.0, 3.0))
    assert coarse < 1e-3
    assert coarse / fine == pytest.approx(4.0, rel=0.1)
    assert fine / finest == pytest.approx(4.0, rel=0.1)


def error_after_hops(timestep, *, time=600.0):
    potential = tully(2)
    batch, hops = launch(potential, traj=200, momentum=30.0), 0
    for _ in range(round(time / timestep)):
        result = step(batch, potential, options(timestep))
        batch, hops = result.batch, hops + int(result.hops.accepted.sum())
    assert hops > 100
    return (total_energy(batch, MASSES) - batch.initial_total_energy).abs().max().item()


def test_hops_do_not_spoil_the_order_of_the_energy_error():
    coarse, fine = error_after_hops(10.0), error_after_hops(3.0)
    assert coarse < 5e-4
    assert fine < coarse / 8


class Flipped:
    """A potential whose eigenvectors and couplings come with other signs at every call."""

    def __init__(self, inner, seed):
        self.inner, self.generator = inner, torch.Generator().manual_seed(seed)
        self.molecule, self.states = inner.molecule, inner.states

    def signs(self, *shape):
        bits = torch.randint(0, 2, shape, generator=self.generator, dtype=torch.int64)
        return (2 * bits - 1).to(torch.float64)

    def surfaces(self, positions, active_state, *, needs):
        s = self.inner.surfaces(positions, active_state, needs=needs)
        signs = self.signs(len(positions), 1, len(self.states))
        return replace(s, eigenvectors=s.eigenvectors * signs)

    def force(self, positions, state):
        return self.inner.force(positions, state)

    def coupling(self, positions, first, second):
        h = self.inner.coupling(positions, first, second)
        return h * self.signs(len(positions), 1, 1)

    def describe(self):
        return self.inner.describe()


@pytest.mark.parametrize("model", [1, 2, 3])
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_signs_of_the_states_do_not_matter(model, seed):
    chosen = options(10.0, decoherence=EnergyBasedDecoherence())
    ends = []
    for potential in (tully(model), Flipped(tully(model), seed)):
        batch, hops = launch(potential, traj=50, momentum=30.0, x=-10.0), 0
        for _ in range(130):
            result = step(batch, potential, chosen)
            batch, hops = result.batch, hops + result.hops.accepted.sum()
        assert hops > 5
        ends.append(batch)
    plain, flipped = ends
    assert torch.equal(plain.active_state, flipped.active_state)
    torch.testing.assert_close(flipped.positions, plain.positions, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(flipped.velocities, plain.velocities, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(
        flipped.amplitudes.abs(), plain.amplitudes.abs(), rtol=1e-9, atol=1e-11
    )


def test_norm_without_decoherence():
    potential = tully(3)
    batch = launch(potential, traj=50, momentum=12.0)
    for _ in range(300):
        batch = step(batch, potential, options(10.0, decoherence=NoDecoherence())).batch
    assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12

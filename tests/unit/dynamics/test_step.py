"""The step as a whole: order of events, independence of rows, purity, buckets."""

import copy
from dataclasses import replace

import pytest
import torch

from namd.dynamics.batch import kinetic_energy, merge, select, start, tensors, total_energy
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.hop import hopping_rows
from namd.dynamics.momentum.frustrated import Reverse
from namd.dynamics.status import Reason, Status
from namd.dynamics.step import step
from namd.errors import ConfigError

STEPS = 45


def assert_same_bits(first, second):
    others = tensors(second)
    assert list(others) == list(tensors(first))
    for name, value in tensors(first).items():
        assert torch.equal(bits(value), bits(others[name])), name


def bits(value):
    """Real numbers that are equal where those of ``value`` are, NaN included."""
    return torch.nan_to_num(torch.view_as_real(value) if value.dtype.is_complex else value)


def accepted_in(records):
    return torch.stack([r.accepted for r in records])


def test_a_step_leaves_its_input_alone_and_is_a_function(crowd):
    before = copy.deepcopy(crowd.batch)
    first = step(crowd.batch, crowd.potential, crowd.options)
    assert_same_bits(crowd.batch, before)
    assert_same_bits(step(crowd.batch, crowd.potential, crowd.options).batch, first.batch)


def test_several_trajectories_hop_in_one_step_up_and_down_three_states(crowd, evolve):
    batch, records = evolve(crowd.batch, crowd.potential, crowd.options, steps=STEPS)
    accepted = accepted_in(records)
    assert accepted.sum(1).max() >= 3
    pairs = {
        (int(a), int(b))
        for r in records
        for a, b in zip(r.from_state[r.accepted], r.to_state[r.accepted], strict=True)
    }
    assert pairs >= {(0, 1), (1, 0), (1, 2), (2, 1)}
    frustrated = torch.stack([r.attempted & ~r.accepted for r in records])
    assert frustrated.any()
    last = torch.where(accepted.any(0), STEPS - accepted.flip(0).int().argmax(0), -1)
    assert torch.equal(batch.last_hop_step, last)
    assert (batch.step == STEPS).all()


def test_total_energy_survives_an_accepted_hop_and_kinetic_energy_a_refused_one(crowd, evolve):
    """Compared with the same step of a run in which nobody may hop."""
    options = replace(crowd.options, frustrated=Reverse())
    batch, seen = crowd.batch, {"accepted": 0, "refused": 0}
    for _ in range(STEPS):
        result = step(batch, crowd.potential, options)
        silent = step(batch, crowd.potential, replace(options, hopping=NeverHop())).batch
        hops, after = result.hops, result.batch
        masses = options.masses
        change = total_energy(after, masses) - total_energy(silent, masses)
        assert change[hops.accepted].abs().sum() < 1e-10
        refused = hops.attempted & ~hops.accepted
        energy, unhopped = kinetic_energy(after, masses), kinetic_energy(silent, masses)
        torch.testing.assert_close(energy[refused], unhopped[refused], rtol=1e-12, atol=0)
        assert not torch.equal(after.velocities[refused], silent.velocities[refused]) or not (
            refused.any()
        )
        torch.testing.assert_close(hops.kinetic_energy, unhopped, rtol=0, atol=0)
        quiet = ~hops.attempted
        assert torch.equal(after.velocities[quiet], silent.velocities[quiet])
        seen["accepted"] += int(hops.accepted.sum())
        seen["refused"] += int(refused.sum())
        batch = after
    assert min(seen.values()) > 5


class NeverHop:
    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


def test_after_a_hop_the_new_state_moves_the_nuclei(crowd, evolve):
    batch, records = evolve(crowd.batch, crowd.potential, crowd.options, steps=1)
    while not records[-1].accepted.any():
        batch, records = evolve(batch, crowd.potential, crowd.options, steps=1)
    hopped = records[-1].accepted
    expected = crowd.potential.force(batch.positions, batch.active_state)
    assert torch.equal(batch.force, expected)
    assert torch.equal(batch.active_state[hopped], records[-1].to_state[hopped])
    # The next half-kick is made with it, and the second half with the same state's new force.
    after = step(batch, crowd.potential, replace(crowd.options, hopping=NeverHop())).batch
    new = crowd.potential.force(after.positions, batch.active_state)
    dt, masses = crowd.options.timestep, crowd.options.masses[:, None]
    kicked = batch.velocities + 0.5 * dt * (expected + new) / masses
    torch.testing.assert_close(after.velocities, kicked, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("size", [1, 7, 63])
def test_the_batch_a_trajectory_is_in_does_not_change_a_bit(crowd, evolve, size):
    together, records = evolve(crowd.batch, crowd.potential, crowd.options, steps=STEPS)
    assert accepted_in(records).any()
    for first in (0, 23):
        rows = (torch.arange(size) * 5 + first) % 64
        alone, _ = evolve(select(crowd.batch, rows), crowd.potential, crowd.options, steps=STEPS)
        assert_same_bits(alone, select(together, rows))


def test_buckets_and_exact_subsets_agree(crowd, evolve):
    exact, records = evolve(crowd.batch, crowd.potential, crowd.options, steps=STEPS)
    busiest = int(torch.stack([r.attempted for r in records]).sum(1).max())
    for capacity in (busiest, 64, 1000):
        options = replace(crowd.options, hop_capacity=capacity)
        bucket, again = evolve(crowd.batch, crowd.potential, options, steps=STEPS)
        assert_same_bits(bucket, exact)
        assert torch.equal(accepted_in(again), accepted_in(records))


def test_a_bucket_that_is_too_small_says_so(crowd):
    small, exact = replace(crowd.options, hop_capacity=1), crowd.options
    batch, overflows = crowd.batch, 0
    for _ in range(STEPS):
        result = step(batch, crowd.potential, exact)
        assert not result.overflow
        several = bool(result.hops.attempted.sum() > 1)
        assert bool(step(batch, crowd.potential, small).overflow) == several
        overflows += several
        batch = result.batch
    assert overflows > 0


def test_bucket_rows():
    attempted = torch.tensor([False, True, False, True, True])
    assert hopping_rows(attempted, capacity=None).tolist() == [1, 3, 4]
    assert hopping_rows(attempted, capacity=2).tolist() == [1, 3]
    assert hopping_rows(attempted, capacity=4).tolist() == [1, 3, 4, 0]


def test_finished_and_parked_trajectories_stay_bit_for_bit(crowd, evolve):
    status = crowd.batch.status.clone()
    status[::3], status[1::3] = Status.FINISHED, Status.PARKED
    held = replace(crowd.batch, status=status)
    after, records = evolve(held, crowd.potential, crowd.options, steps=10)
    rows = (status != Status.ACTIVE).nonzero().squeeze(1)
    assert_same_bits(select(after, rows), select(held, rows))
    moving = (status == Status.ACTIVE).nonzero().squeeze(1)
    plain, _ = evolve(crowd.batch, crowd.potential, crowd.options, steps=10)
    assert_same_bits(select(after, moving), select(plain, moving))
    assert not torch.stack([r.attempted for r in records])[:, rows].any()


class Treacherous:
    """A potential that gives NaN for the geometries in which the first atom is beyond a wall."""

    def __init__(self, inner, wall):
        self.inner, self.wall = inner, wall
        self.molecule, self.states = inner.molecule, inner.states

    def surfaces(self, positions, active_state, *, needs):
        s = self.inner.surfaces(positions, active_state, needs=needs)
        bad = positions[:, 0, 0] > self.wall
        return replace(
            s,
            energies=torch.where(bad[:, None], torch.nan, s.energies),
            force=torch.where(bad[:, None, None], torch.nan, s.force),
            eigenvectors=torch.where(bad[:, None, None], torch.nan, s.eigenvectors),
        )

    def force(self, positions, state):
        return self.inner.force(positions, state)

    def coupling(self, positions, first, second):
        return self.inner.coupling(positions, first, second)

    def describe(self):
        return self.inner.describe()


def test_nan_parks_its_trajectory_at_the_last_sound_step_and_nobody_else(crowd, evolve):
    plain, _ = evolve(crowd.batch, crowd.potential, crowd.options, steps=STEPS)
    wall = crowd.batch.positions[:, 0, 0].max().item() + 0.02
    treacherous = Treacherous(crowd.potential, wall)
    after, _ = evolve(crowd.batch, treacherous, crowd.options, steps=STEPS)
    parked = after.status == Status.PARKED
    assert 0 < parked.sum() < 64
    assert (after.reason[parked] == Reason.NOT_A_NUMBER).all()
    assert (after.reason[~parked] == Reason.NONE).all()
    others = (~parked).nonzero().squeeze(1)
    assert_same_bits(select(after, others), select(plain, others))
    for row in parked.nonzero().squeeze(1).tolist():
        steps = int(after.step[row])
        index = torch.tensor([row])
        alone, _ = evolve(select(crowd.batch, index), crowd.potential, crowd.options, steps=steps)
        stopped = select(after, index)
        assert_same_bits(replace(stopped, status=alone.status, reason=alone.reason), alone)


def test_one_state_is_plain_molecular_dynamics(crowd):
    from namd.potentials.vibronic import linear_vibronic
    from namd.states import StateSpace

    potential = linear_vibronic(
        crowd.potential.molecule,
        StateSpace.singlets(1),
        reference=torch.zeros(2, 3, dtype=torch.float64),
        stiffness=0.05,
        energies=torch.zeros(1, 1, dtype=torch.float64),
        slopes=torch.zeros(1, 1, 2, 3, dtype=torch.float64),
    )
    b, dt = crowd.batch, 0.1
    batch = start(potential, b.positions, b.velocities, torch.zeros_like(b.active_state))
    options = replace(crowd.options, timestep=dt)
    steps = 200
    for _ in range(steps):
        batch = step(batch, potential, options).batch
    frequency = (0.05 / options.masses).sqrt()[:, None]
    angle = frequency * dt * steps
    exact = b.positions * angle.cos() + b.velocities / frequency * angle.sin()
    torch.testing.assert_close(batch.positions, exact, rtol=1e-7, atol=1e-7)
    assert (batch.amplitudes.abs() - 1).abs().max() < 1e-13


def test_refilled_rows_go_on_like_any_other(crowd, evolve):
    """A run that takes in new trajectories midway gives each the same path."""
    first, second = select(crowd.batch, torch.arange(30)), select(crowd.batch, torch.arange(30, 64))
    plain, _ = evolve(crowd.batch, crowd.potential, crowd.options, steps=20)
    ahead, _ = evolve(first, crowd.potential, crowd.options, steps=12)
    mixed, _ = evolve(merge(ahead, second), crowd.potential, crowd.options, steps=8)
    late, _ = evolve(select(mixed, torch.arange(30, 64)), crowd.potential, crowd.options, steps=12)
    assert_same_bits(merge(select(mixed, torch.arange(30)), late), plain)


def test_norm_of_the_amplitudes(crowd, evolve):
    for decoherence in (NoDecoherence(), crowd.options.decoherence):
        options = replace(crowd.options, decoherence=decoherence)
        batch, _ = evolve(crowd.batch, crowd.potential, options, steps=STEPS)
        assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12


def test_impossible_options_are_refused(crowd):
    with pytest.raises(ConfigError, match="time step must be positive"):
        replace(crowd.options, timestep=-1.0)
    with pytest.raises(ConfigError, match="at least one place"):
        replace(crowd.options, hop_capacity=0)

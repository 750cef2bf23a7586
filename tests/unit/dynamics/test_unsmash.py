"""Uncoupled spheres: their start, their hops, their hand-over, and what must not matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from namd.dynamics.advance import advance
from namd.dynamics.batch import (
    from_tensors,
    kinetic_energy,
    select,
    start,
    tensors,
    total_energy,
)
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.electronic.curvature import Curvature
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.norm_preserving import NormPreserving
from namd.dynamics.electronic.pairs import turn_spheres
from namd.dynamics.finish import FinishRules
from namd.dynamics.hopping.sphere_start import with_pole
from namd.dynamics.hopping.unsmash import SPHERES, UncoupledSpheres, hand_over
from namd.dynamics.momentum.frustrated import Keep, Reverse
from namd.dynamics.nuclei import move_nuclei
from namd.dynamics.step import step
from namd.errors import ConfigError
from namd.states import StateSpace

STEPS = 80
SMASH = {
    "hopping": UncoupledSpheres(),
    "decoherence": NoDecoherence(),
    "frustrated": Reverse(),
}


@pytest.fixture(scope="module", name="options")
def make_options(crowd):
    return replace(crowd.options, **SMASH)


def same_bits(first, second):
    others = tensors(second)
    return all(torch.equal(value, others[name]) for name, value in tensors(first).items())


def drawn(crowd, traj, *, seed=1):
    """Spheres of many trajectories in state 1 of three."""
    row = select(crowd.batch, torch.ones(1, dtype=torch.int64))
    many = select(row, torch.zeros(traj, dtype=torch.int64))
    many = replace(many, trajectory_id=torch.arange(traj))
    return UncoupledSpheres().first_memory(many, seed=seed)[SPHERES]


def test_spheres_start_on_the_upper_hemisphere_with_their_weight(crowd):
    """p(S_z) = 2 S_z has the distribution function S_z²; the azimuth is uniform."""
    traj = 20_000
    spheres = drawn(crowd, traj)
    pole = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(traj, 3)
    assert torch.equal(spheres[:, 1], pole)
    assert not torch.equal(spheres[:, 0], spheres[:, 2])
    assert not torch.equal(spheres, drawn(crowd, traj, seed=2))
    even = (torch.arange(traj, dtype=torch.float64) + 0.5) / traj
    for b in (0, 2):
        x, y, z = spheres[:, b].unbind(1)
        torch.testing.assert_close(x * x + y * y + z * z, torch.ones_like(z), rtol=0, atol=1e-14)
        azimuth = torch.atan2(y, x) / (2 * torch.pi) + 0.5
        for cumulated in (z * z, azimuth):  # Kolmogorov and Smirnov at one in a thousand
            assert (cumulated.sort().values - even).abs().max() < 1.95 / traj**0.5
    correlation = torch.corrcoef(torch.stack((spheres[:, 0, 2], spheres[:, 2, 2])))[0, 1]
    assert correlation.abs() < 4 / traj**0.5


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_the_fraction_that_crosses_is_the_quantum_probability(crowd, seed):
    """For any propagator U of two states: P(S_z < 0) = |U_ba|², with weights of one."""
    raw = torch.randn(2, 2, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))
    u = torch.linalg.qr(raw).Q
    traj = 20_000
    turned = turn_spheres(drawn(crowd, traj)[:, 0], u.expand(traj, 2, 2))
    exact = u[1, 0].abs().square().item()
    error = (exact * (1 - exact) / traj) ** 0.5
    assert abs((turned[:, 2] < 0).double().mean().item() - exact) < 5 * error + 1e-12


def unit_spheres(seed, traj, states):
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(traj, states, 3, dtype=torch.float64, generator=generator)
    active, goal = (torch.randint(0, states, (traj,), generator=generator) for _ in range(2))
    return with_pole(torch.nn.functional.normalize(raw, dim=2), active), active, goal


@given(seed=st.integers(0, 2**32 - 1), states=st.integers(2, 5))
def test_a_hop_back_undoes_the_hand_over(seed, states):
    spheres, active, goal = unit_spheres(seed, 30, states)
    there = hand_over(spheres, active, goal)
    assert torch.equal(
        there.gather(1, goal[:, None, None].expand(-1, 1, 3))[:, 0, 2], there[:, 0, 2] * 0 + 1
    )
    assert torch.equal(hand_over(there, goal, active), spheres)


@given(seed=st.integers(0, 2**32 - 1), states=st.integers(2, 5))
def test_the_hand_over_knows_no_signs_of_states(seed, states):
    spheres, active, goal = unit_spheres(seed, 30, states)
    generator = torch.Generator().manual_seed(seed + 1)
    signs = torch.randint(0, 2, (30, states), generator=generator) * 2.0 - 1.0

    def turned(values, state):
        relative = signs * signs.gather(1, state[:, None])
        return values * torch.stack((relative, relative, torch.ones_like(relative)), 2)

    found = hand_over(turned(spheres, active), active, goal)
    assert torch.equal(found, turned(hand_over(spheres, active, goal), goal))


@pytest.mark.parametrize("electronic", [None, NormPreserving(), NacVectors()])
def test_hops_of_three_states(crowd, begin, options, electronic):
    """Energy, the force of the new state, refusals, and spheres that agree with the state."""
    if electronic is not None:
        options = replace(options, electronic=electronic)
    batch, seen = begin(options), {"accepted": 0, "refused": 0}
    masses, ways = options.masses, set()
    for _ in range(STEPS):
        result = step(batch, crowd.potential, options)
        after, hops = result.batch, result.hops
        straight = move_nuclei(batch, crowd.potential, options)
        change = total_energy(after, masses) - total_energy(straight, masses)
        assert change.abs().max() < 1e-10
        own = crowd.potential.force(after.positions, after.active_state)
        torch.testing.assert_close(after.force, own, rtol=0, atol=1e-12)
        assert torch.equal(after.active_state[hops.accepted], hops.to_state[hops.accepted])
        refused = hops.attempted & ~hops.accepted
        same = kinetic_energy(after, masses) - kinetic_energy(straight, masses)
        assert same[refused].abs().max() < 1e-12 if refused.any() else True
        h = crowd.potential.coupling(after.positions, batch.active_state, hops.to_state)
        along = ((after.velocities + straight.velocities) * h).sum((1, 2))[refused]
        torch.testing.assert_close(along, torch.zeros_like(along), rtol=0, atol=1e-14)
        assert torch.equal(after.velocities[~hops.attempted], straight.velocities[~hops.attempted])
        spheres = after.memory[SPHERES]
        length = spheres.square().sum(2)
        torch.testing.assert_close(length, torch.ones_like(length), rtol=0, atol=1e-13)
        pair = spheres.gather(1, hops.to_state[:, None, None].expand(-1, 1, 3))[:, 0, 2]
        assert (pair[refused] > 0).all()
        assert torch.equal(spheres, with_pole(spheres, after.active_state))
        assert torch.equal(after.amplitudes.abs().argmax(1), after.active_state)
        seen["accepted"] += int(hops.accepted.sum())
        seen["refused"] += int(refused.sum())
        taken = zip(hops.from_state[hops.accepted], hops.to_state[hops.accepted], strict=True)
        ways |= {(int(a), int(b)) for a, b in taken}
        batch = after
    assert seen["accepted"] > 30
    assert seen["refused"] > 5
    assert len(ways) >= 3
    # Two crossings in one step are two hops in two steps: almost everybody agrees at the end.
    assert (batch.memory[SPHERES][..., 2] > 0).all(1).double().mean() > 0.9


def test_rows_buckets_a_pause_and_a_copy_change_no_bit(crowd, begin, evolve, options):
    whole, records = evolve(begin(options), crowd.potential, options, steps=STEPS)
    assert torch.stack([r.accepted for r in records]).sum() > 30
    rows = torch.arange(3, 60, 5)
    alone, _ = evolve(select(begin(options), rows), crowd.potential, options, steps=STEPS)
    assert same_bits(alone, select(whole, rows))
    half, _ = evolve(begin(options), crowd.potential, options, steps=STEPS // 2)
    copied = from_tensors({name: value.clone() for name, value in tensors(half).items()})
    other, _ = evolve(copied, crowd.potential, options, steps=STEPS - STEPS // 2)
    assert same_bits(other, whole)


def test_a_bucket_too_small_is_enlarged(crowd, begin, options):
    rules = FinishRules(max_steps=STEPS)
    found = [
        advance(begin(each), crowd.potential, each, steps=40, rules=rules, batch_size=40)
        for each in (options, replace(options, hop_capacity=2))
    ]
    assert same_bits(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1]["positions"], found[1][1]["positions"])


@pytest.mark.parametrize("electronic", [LocalDiabatization(), NacVectors()])
def test_a_single_state_has_no_spheres_and_never_hops(crowd, options, electronic):
    lowest = replace(crowd.potential, states=StateSpace.singlets(1))
    options = replace(options, electronic=electronic)
    b = crowd.batch
    batch = start(lowest, b.positions, b.velocities, b.active_state * 0, options=options)
    for _ in range(5):
        result = step(batch, lowest, options)
        batch = result.batch
        assert not result.hops.attempted.any()
    assert torch.equal(batch.memory[SPHERES], with_pole(batch.memory[SPHERES], batch.active_state))
    assert (total_energy(batch, options.masses) - batch.initial_total_energy).abs().max() < 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {"decoherence": EnergyBasedDecoherence()},
        {"frustrated": Keep()},
        {"electronic": Curvature()},
        {"electronic": NacVectors(velocities_before_hop=True)},
    ],
)
def test_what_does_not_go_with_spheres_is_refused(options, changes):
    with pytest.raises(ConfigError, match="with spheres goes with"):
        replace(options, **changes)

"""Hops in hindsight: the analytic probability, the way back, and independence of rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from namd.dynamics.advance import advance
from namd.dynamics.batch import select, start, tensors, total_energy
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.finish import FinishRules
from namd.dynamics.hop import attempt_hops
from namd.dynamics.hopping.landau_zener import LandauZener
from namd.dynamics.momentum.frustrated import Reverse
from namd.dynamics.nuclei import move_nuclei
from namd.dynamics.step import StepOptions, step
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

STEPS = 120
SLOPE, COUPLING, VELOCITY = 0.01, 0.0015, 1e-3
MASS = 1e9


@pytest.fixture(scope="module", name="options")
def make_options(crowd):
    return replace(
        crowd.options, electronic=None, hopping=LandauZener(), decoherence=NoDecoherence()
    )


def same_bits(first, second):
    others = tensors(second)
    return all(torch.equal(value, others[name]) for name, value in tensors(first).items())


def linear_crossing():
    """W = [[kx, c], [c, −kx]] of a particle so heavy that its velocity does not change."""
    slopes = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    slopes[0, 0, 0, 0], slopes[1, 1, 0, 0] = SLOPE, -SLOPE
    return linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([MASS])),
        StateSpace.singlets(2),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=0.0,
        energies=torch.tensor([[0.0, COUPLING], [COUPLING, 0.0]], dtype=torch.float64),
        slopes=slopes,
    )


def test_the_probability_of_a_linear_crossing_is_that_of_landau_and_zener():
    """P = exp(−2πc²/(v|ΔF|)), here with |ΔF| = 2k; 4000 trajectories hop so often."""
    traj, dt, potential = 4000, 5.0, linear_crossing()
    positions = torch.zeros(traj, 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = torch.linspace(-0.1, -0.1 + VELOCITY * dt, traj, dtype=torch.float64)
    velocities = torch.zeros_like(positions)
    velocities[:, 0, 0] = VELOCITY
    options = StepOptions(
        timestep=dt,
        masses=torch.tensor([MASS], dtype=torch.float64),
        seed=4,
        electronic=None,
        hopping=LandauZener(),
        decoherence=NoDecoherence(),
    )
    active = torch.arange(traj) % 2
    batch, hops = start(potential, positions, velocities, active, options=options), 0
    for _ in range(60):
        result = step(batch, potential, options)
        batch, hops = result.batch, hops + result.hops.attempted.sum().item()
    exact = np.exp(-np.pi * COUPLING**2 / (VELOCITY * SLOPE))
    assert 0.3 < exact < 0.7
    assert abs(hops / traj - exact) < 3 * (exact * (1 - exact) / traj) ** 0.5


def test_probabilities_are_the_formula_at_minima_and_zero_elsewhere(crowd, begin, options):
    batch, minima = begin(options), 0
    for count in range(30):
        after = move_nuclei(batch, crowd.potential, options)
        found = options.hopping.hindsight(batch, after, timestep=options.timestep)
        past, here, ahead = (
            e.numpy() for e in (batch.memory["energies_before"], batch.energies, after.energies)
        )
        for row in range(64):
            a, expected = int(batch.active_state[row]), np.zeros(3)
            for b in (a - 1, a + 1):
                if not 0 <= b < 3:
                    continue
                g = [abs(e[row, b] - e[row, a]) for e in (past, here, ahead)]
                if count > 0 and g[1] < g[0] and g[1] < g[2]:
                    bend = (g[2] - 2 * g[1] + g[0]) / options.timestep**2
                    expected[b] = np.exp(-np.pi / 2 * np.sqrt(g[1] ** 3 / bend))
                    minima += 1
            expected /= max(1.0, expected.sum())
            np.testing.assert_allclose(found[row].numpy(), expected, rtol=1e-9, atol=1e-15)
        batch = step(batch, crowd.potential, options).batch
    assert minima > 20


def test_who_hops_is_taken_back_and_who_does_not_keeps_the_step(crowd, begin, options):
    options = replace(options, frustrated=Reverse())
    batch, seen = begin(options), {"accepted": 0, "refused": 0, "quiet": 0}
    for _ in range(STEPS):
        result = step(batch, crowd.potential, options)
        hops, after = result.hops, result.batch
        assert torch.equal(hops.positions, batch.positions)
        assert torch.equal(hops.step, batch.step)
        straight = move_nuclei(batch, crowd.potential, options)
        quiet = ~hops.attempted
        assert torch.equal(after.positions[quiet], straight.positions[quiet])
        assert torch.equal(after.velocities[quiet], straight.velocities[quiet])
        turned, *_ = attempt_hops(batch, crowd.potential, options, target=hops.to_state)
        change = total_energy(turned, options.masses) - total_energy(batch, options.masses)
        assert change.abs().max() < 1e-10
        again = move_nuclei(turned, crowd.potential, options)
        assert torch.equal(after.positions[~quiet], again.positions[~quiet])
        assert torch.equal(after.force[~quiet], again.force[~quiet])
        own = crowd.potential.force(after.positions, after.active_state)
        assert torch.equal(after.force, own)
        assert torch.equal(after.amplitudes.abs().argmax(1), after.active_state)
        seen["accepted"] += int(hops.accepted.sum())
        seen["refused"] += int((hops.attempted & ~hops.accepted).sum())
        seen["quiet"] += int(quiet.sum())
        batch = after
    assert seen["accepted"] > 20
    assert seen["refused"] > 0
    assert seen["quiet"] > 0


def test_rows_buckets_and_a_pause_change_no_bit(crowd, begin, evolve, options):
    whole, records = evolve(begin(options), crowd.potential, options, steps=STEPS)
    assert torch.stack([r.accepted for r in records]).sum() > 20
    rows = torch.arange(3, 60, 5)
    alone, _ = evolve(select(begin(options), rows), crowd.potential, options, steps=STEPS)
    assert same_bits(alone, select(whole, rows))
    bucket = replace(options, hop_capacity=64)
    other, _ = evolve(begin(bucket), crowd.potential, bucket, steps=STEPS)
    assert same_bits(other, whole)


def test_a_bucket_too_small_is_enlarged(crowd, begin, options):
    small = replace(options, hop_capacity=1)
    rules = FinishRules(max_steps=STEPS)
    found = [
        advance(begin(each), crowd.potential, each, steps=STEPS, rules=rules, batch_size=64)
        for each in (options, small)
    ]
    assert same_bits(found[0][0], found[1][0])
    assert len(found[0][1]["step"]) > 20
    np.testing.assert_array_equal(found[0][1]["positions"], found[1][1]["positions"])


def test_signs_and_a_missing_basis_do_not_matter(crowd, begin, evolve, flipped, options):
    plain, _ = evolve(begin(options), crowd.potential, options, steps=STEPS)
    for basis in (True, False):
        potential = flipped(crowd.potential, 5, basis=basis)
        other, _ = evolve(begin(options, potential), potential, options, steps=STEPS)
        torch.testing.assert_close(other.positions, plain.positions, rtol=0, atol=1e-12)
        assert torch.equal(other.active_state, plain.active_state)


@pytest.mark.parametrize(
    "changes",
    [{"hopping": LandauZener()}, {"electronic": None}, {"decoherence": NoDecoherence()}],
    ids=["landau-zener with amplitudes", "finite step without", "landau-zener with a propagation"],
)
def test_methods_that_do_not_go_together_are_refused(crowd, changes):
    if "decoherence" in changes:
        changes = changes | {"hopping": LandauZener()}
    with pytest.raises(ConfigError, match="without amplitudes goes with no electronic"):
        replace(crowd.options, **changes)

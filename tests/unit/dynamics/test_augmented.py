"""Augmented surface hopping: how wave packets move apart, and when they collapse and are reset."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.batch import recall, start
from namd.dynamics.decoherence.augmented import AugmentedDecoherence, _collapsed
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.molecule import Molecule
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

MASS, PULL, POPULATION, DT = 2000.0, 0.1, 0.36, 2.0
TRAJECTORIES = 2000
POSITIONS, MOMENTA = "displacement_positions", "displacement_momenta"


class NeverHop:
    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


@pytest.fixture(name="parted")
def make_parted():
    """Two uncoupled states with constant, different forces; 0.36 of the population not active."""
    slopes = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    slopes[1, 1, 0, 0] = PULL
    potential = linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([MASS])),
        StateSpace.singlets(2),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=0.0,
        energies=torch.diag(torch.tensor([0.0, 1.0], dtype=torch.float64)),
        slopes=slopes,
    )
    options = StepOptions(
        timestep=DT,
        masses=torch.tensor([MASS], dtype=torch.float64),
        seed=4,
        hopping=NeverHop(),
        decoherence=AugmentedDecoherence(),
    )
    still = torch.zeros(TRAJECTORIES, 1, 3, dtype=torch.float64)
    velocities = still.clone()
    velocities[:, 0, 1] = 0.01
    lower = torch.zeros(TRAJECTORIES, dtype=torch.int64)
    batch = start(potential, still, velocities, lower, options=options)
    mixed = torch.tensor([(1 - POPULATION) ** 0.5, POPULATION**0.5], dtype=torch.complex128)
    return potential, replace(batch, amplitudes=mixed.expand(TRAJECTORIES, 2).clone()), options


def test_packets_part_as_newton_says_and_collapse_at_the_rate_of_their_parting(parted):
    potential, batch, options = parted
    survival = 1.0
    for count in range(1, 41):
        batch = step(batch, potential, options).batch
        time = count * DT
        distance = -0.5 * POPULATION * PULL / MASS * time**2
        alive = batch.amplitudes[:, 1] != 0
        displaced = recall(batch, POSITIONS)[alive]
        assert displaced[:, 1, 0, 0] == pytest.approx(distance, rel=1e-10)
        assert recall(batch, MOMENTA)[alive][:, 1, 0, 0] == pytest.approx(
            -POPULATION * PULL * time, rel=1e-10
        )
        assert not displaced[:, 0].any()
        assert not displaced[:, 1, 0, 1:].any()
        survival *= 1 - DT * 0.5 * -PULL * distance
    collapsed = ~alive
    expected = 1 - survival
    error = (expected * survival / TRAJECTORIES) ** 0.5
    assert expected > 10 * error
    assert abs(collapsed.double().mean().item() - expected) < 3 * error
    assert (batch.amplitudes[collapsed].abs()[:, 0] - 1).abs().max() < 1e-14
    assert not recall(batch, POSITIONS)[collapsed].any()
    assert not recall(batch, MOMENTA)[collapsed].any()


def test_approaching_packets_are_reset_and_keep_their_amplitudes(parted):
    potential, batch, options = parted
    away = torch.zeros_like(recall(batch, POSITIONS))
    away[:, 1, 0, 0] = 5.0  # against the pull of the upper state
    batch = replace(batch, memory={**batch.memory, POSITIONS: away})
    after = step(batch, potential, options).batch
    reset = ~recall(after, POSITIONS)[:, 1].flatten(1).any(1)
    expected = DT * 0.5 * PULL * 5.0
    assert abs(reset.double().mean().item() - expected) < 3 * (expected / TRAJECTORIES) ** 0.5
    assert (after.amplitudes.abs()[:, 1] - POPULATION**0.5).abs().max() < 1e-14


def test_a_hop_forgets_everything_and_the_active_state_is_the_reference(crowd, evolve):
    options = replace(crowd.options, decoherence=AugmentedDecoherence())
    b = crowd.batch
    batch = start(crowd.potential, b.positions, b.velocities, b.active_state, options=options)
    hops = apart = 0
    for _ in range(40):
        batch, (record,) = evolve(batch, crowd.potential, options, steps=1)
        for name in (POSITIONS, MOMENTA):
            kept = recall(batch, name)
            assert not kept[record.accepted].any()
            index = batch.active_state[:, None, None, None].expand(-1, 1, 2, 3)
            assert not kept.gather(1, index).any()
        hops += int(record.accepted.sum())
        apart += int(recall(batch, MOMENTA).flatten(1).any(1).sum())
        assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12
    assert hops > 20
    assert apart > 500


@given(
    seed=st.integers(0, 2**16),
    collapse=st.lists(st.booleans(), min_size=4, max_size=4),
    active=st.integers(0, 3),
    empty=st.booleans(),
)
def test_a_collapse_keeps_norm_and_phases(seed, collapse, active, empty):
    generator = torch.Generator().manual_seed(seed)
    c = torch.randn(1, 4, dtype=torch.complex128, generator=generator)
    if empty:
        c[0, active] = 0
    c = c / c.abs().square().sum().sqrt()
    found = _collapsed(c, torch.tensor([collapse]), active_state=torch.tensor([active]))
    assert found.abs().square().sum().item() == pytest.approx(1, abs=1e-14)
    for state in range(4):
        if state == active:
            if not empty:
                turned = (found[0, state] / c[0, state]).item()
                assert turned.imag == pytest.approx(0, abs=1e-14)
                assert turned.real >= 1 - 1e-14
        else:
            assert found[0, state] == (0 if collapse[state] else c[0, state])

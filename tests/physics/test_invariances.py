"""Whole trajectories under what must not matter: orientation, place, labels, the arrow of time."""

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from namd.dynamics.batch import kinetic_energy, start, total_energy
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.momentum.along_coupling import AlongCoupling
from namd.dynamics.momentum.along_projected_coupling import AlongProjectedCoupling
from namd.dynamics.momentum.delta_v import DeltaV
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.molecule import Molecule
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

ATOMS, STATES, TRAJECTORIES, STEPS = 3, 3, 24, 40
MASSES = torch.tensor([1800.0, 3600.0, 7200.0], dtype=torch.float64)
FEW = settings(
    max_examples=3, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)


class NeverHop:
    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


def noise(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


REFERENCE = torch.tensor([[0.0, 0.3, -1.5], [0.5, 0.0, 1.5], [0.0, -1.0, 0.2]], dtype=torch.float64)
ENERGIES = 0.004 * noise(STATES, STATES, seed=1)
SLOPES = 0.01 * noise(STATES, STATES, ATOMS, 3, seed=2)
POSITIONS = REFERENCE + 0.3 * noise(TRAJECTORIES, ATOMS, 3, seed=3)
VELOCITIES = 2e-3 * noise(TRAJECTORIES, ATOMS, 3, seed=4)
ACTIVE = torch.arange(TRAJECTORIES) % STATES


def model(*, reference=REFERENCE, energies=ENERGIES, slopes=SLOPES, masses=MASSES):
    return linear_vibronic(
        Molecule(atomic_numbers=np.ones(ATOMS, dtype=np.int64), masses=masses.numpy()),
        StateSpace.singlets(STATES),
        reference=reference,
        stiffness=0.05,
        energies=energies + energies.T,
        slopes=slopes + slopes.transpose(0, 1),
    )


def run(potential, positions=POSITIONS, velocities=VELOCITIES, *, steps=STEPS, **changes):
    """The batch after some steps, and how many hops were accepted."""
    masses = torch.from_numpy(potential.molecule.masses)
    options = StepOptions(
        **{"timestep": 10.0, "masses": masses, "seed": 8, "frustrated": DeltaV()} | changes
    )
    batch = start(potential, positions, velocities, ACTIVE, options=options)
    hops = 0
    for _ in range(steps):
        result = step(batch, potential, options)
        batch, hops = result.batch, hops + int(result.hops.accepted.sum())
    return batch, hops


@cache
def untouched(rescaling):
    return run(model(), rescaling=rescaling)


def assert_same_motion(found, expected):
    assert torch.equal(found.active_state, expected.active_state)
    assert torch.equal(found.last_hop_step, expected.last_hop_step)
    torch.testing.assert_close(found.positions, expected.positions, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.velocities, expected.velocities, rtol=0, atol=1e-11)
    torch.testing.assert_close(found.energies, expected.energies, rtol=0, atol=1e-11)
    populations = expected.amplitudes.abs()
    torch.testing.assert_close(found.amplitudes.abs(), populations, rtol=0, atol=1e-8)


angles = st.lists(st.floats(-math.pi, math.pi), min_size=3, max_size=3)


@FEW
@given(euler=angles, shift=angles, mirror=st.booleans())
def test_rotation_reflection_and_translation(euler, shift, mirror):
    skew = torch.zeros(3, 3, dtype=torch.float64)
    skew[0, 1], skew[0, 2], skew[1, 2] = euler
    turn = torch.linalg.matrix_exp(skew - skew.T) * (-1.0 if mirror else 1.0)
    away = torch.tensor(shift, dtype=torch.float64)
    for rescaling in (AlongCoupling(), AlongProjectedCoupling()):
        plain, hops = untouched(rescaling)
        turned, _ = run(
            model(reference=REFERENCE @ turn + away, slopes=SLOPES @ turn),
            POSITIONS @ turn + away,
            VELOCITIES @ turn,
            rescaling=rescaling,
        )
        assert hops > 10
        expected = replace(
            plain, positions=plain.positions @ turn + away, velocities=plain.velocities @ turn
        )
        assert_same_motion(turned, expected)


@FEW
@given(atoms=st.permutations(range(ATOMS)), diabats=st.permutations(range(STATES)))
def test_labels_of_atoms_and_diabatic_states(atoms, diabats):
    plain, hops = untouched(AlongCoupling())
    named, _ = run(
        model(
            reference=REFERENCE[atoms],
            energies=ENERGIES[diabats][:, diabats],
            slopes=SLOPES[diabats][:, diabats][:, :, atoms],
            masses=MASSES[atoms],
        ),
        POSITIONS[:, atoms],
        VELOCITIES[:, atoms],
    )
    assert hops > 10
    expected = replace(
        plain, positions=plain.positions[:, atoms], velocities=plain.velocities[:, atoms]
    )
    assert_same_motion(named, expected)


@FEW
@given(timestep=st.floats(1.0, 15.0), steps=st.integers(5, 60))
def test_nuclei_go_back_where_they_came_from(timestep, steps):
    potential = model()
    quiet = {"timestep": timestep, "hopping": NeverHop(), "steps": steps}
    there, _ = run(potential, **quiet)
    moved = (there.positions - POSITIONS).abs().amax((1, 2))
    assert moved.min() > 1e-4
    back, _ = run(potential, there.positions, -there.velocities, **quiet)
    torch.testing.assert_close(back.positions, POSITIONS, rtol=0, atol=1e-10)
    torch.testing.assert_close(back.velocities, -VELOCITIES, rtol=0, atol=1e-12)


def meeting():
    """Three states that all meet at the reference, where every trajectory arrives."""
    return model(energies=torch.zeros(STATES, STATES, dtype=torch.float64))


def test_three_states_that_meet_in_one_point():
    """Straight over the point of a triple cone, fast: the outer states change places."""
    potential = meeting()
    heading = VELOCITIES / VELOCITIES.square().sum((1, 2), keepdim=True).sqrt()
    positions, velocities = REFERENCE - 0.8 * heading, 0.04 * heading
    options = StepOptions(timestep=1.0, masses=MASSES, seed=8, decoherence=NoDecoherence())
    batch = start(potential, positions, velocities, ACTIVE, options=options)
    gaps, states, worst = [], set(), 0.0
    for _ in range(40):
        result = step(batch, potential, options)
        silent = step(batch, potential, replace(options, hopping=NeverHop())).batch
        batch, hops = result.batch, result.hops
        change = total_energy(batch, MASSES) - total_energy(silent, MASSES)
        worst = max(worst, change.abs().max().item())
        refused = hops.attempted & ~hops.accepted
        assert torch.equal(batch.velocities[refused], silent.velocities[refused])
        gaps.append((batch.energies[:, 2] - batch.energies[:, 0]).min().item())
        pairs = zip(hops.from_state[hops.accepted], hops.to_state[hops.accepted], strict=True)
        states |= {(int(a), int(b)) for a, b in pairs}
    assert min(gaps) < 1e-3
    assert states >= {(0, 2), (2, 0)}
    population = batch.amplitudes.abs().square()
    assert (population.gather(1, 2 - ACTIVE[:, None]) > 0.99).all()
    assert worst < 1e-10
    assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12
    assert (batch.status == 0).all()


def test_a_trajectory_that_starts_on_the_meeting_point():
    """Exactly degenerate energies: no direction is preferred, nothing is divided by the gap."""
    potential = meeting()
    batch, _ = run(potential, REFERENCE.expand(TRAJECTORIES, ATOMS, 3).clone(), steps=5)
    assert torch.isfinite(batch.amplitudes.abs()).all()
    assert (batch.amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-12
    assert (kinetic_energy(batch, MASSES) > 0).all()


def test_hops_back_and_forth():
    potential = meeting()
    options = StepOptions(timestep=5.0, masses=MASSES, seed=8, decoherence=NoDecoherence())
    batch = start(potential, POSITIONS, VELOCITIES, ACTIVE, options=options)
    path: list[list[tuple[int, int]]] = [[] for _ in range(TRAJECTORIES)]
    before = total_energy(batch, MASSES)
    for _ in range(400):
        result = step(batch, potential, options)
        batch, hops = result.batch, result.hops
        for row in hops.accepted.nonzero().squeeze(1).tolist():
            path[row].append((int(hops.from_state[row]), int(hops.to_state[row])))
    returned = sum(any((b, a) == later for (a, b), later in pairwise(hops)) for hops in path)
    assert returned >= 2
    for hops, state in zip(path, batch.active_state.tolist(), strict=True):
        assert not hops or hops[-1][1] == state
        assert all(first[1] == second[0] for first, second in pairwise(hops))
    assert (total_energy(batch, MASSES) - before).abs().max() < 1e-3

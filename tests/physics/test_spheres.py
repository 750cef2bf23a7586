"""Limits of uncoupled spheres: exact ones, an independent integration, and the way back.

Two states are the mapping approach to surface hopping (MASH), whose equations are integrated here
once more, on Tully's models with closed-form couplings and a Runge–Kutta method.
"""

from dataclasses import replace

import numpy as np
import torch

from namd.dynamics.batch import start, total_energy
from namd.dynamics.decoherence.none import NoDecoherence
from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.hopping.unsmash import SPHERES, UncoupledSpheres
from namd.dynamics.momentum.frustrated import Reverse
from namd.dynamics.step import StepOptions, step
from namd.molecule import Molecule
from namd.potentials.tully import MASS, tully
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace


def options_for(mass, timestep, *, seed=3, **changes):
    spheres = {
        "hopping": UncoupledSpheres(),
        "decoherence": NoDecoherence(),
        "frustrated": Reverse(),
    }
    masses = torch.tensor([mass], dtype=torch.float64)
    return StepOptions(timestep=timestep, masses=masses, seed=seed, **{**spheres, **changes})


def launch(potential, options, *, traj, x, velocity, state):
    positions = torch.zeros(traj, 1, 3, dtype=torch.float64)
    velocities = torch.zeros_like(positions)
    positions[:, 0, 0], velocities[:, 0, 0] = x, velocity
    active = torch.full((traj,), state)
    return start(potential, positions, velocities, active, options=options)


def lines(energies, slopes, *, mass):
    """Straight diabatic lines along x, W = energies + slopes x, without a bowl."""
    energies = torch.tensor(energies, dtype=torch.float64)
    along = torch.zeros(*energies.shape, 1, 3, dtype=torch.float64)
    along[..., 0, 0] = torch.diag(torch.tensor(slopes, dtype=torch.float64))
    return linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([mass])),
        StateSpace.singlets(len(slopes)),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=0.0,
        energies=energies,
        slopes=along,
    )


def test_two_states_of_a_heavy_particle_have_the_quantum_populations():
    """While nothing changes the velocity, active states are |c|² at any time."""
    traj, heavy = 4000, 1e9
    potential = lines([[0.0, 0.0015], [0.0015, 0.0]], [0.01, -0.01], mass=heavy)
    options = options_for(heavy, 20.0)
    where = {"x": -0.5, "velocity": 1e-3, "state": 0}
    batch = launch(potential, options, traj=traj, **where)
    plain = replace(options, hopping=Quiet(), electronic=LocalDiabatization())
    quantum = launch(potential, plain, traj=1, **where)
    seen = []
    for _ in range(60):
        batch = step(batch, potential, options).batch
        quantum = step(quantum, potential, plain).batch
        exact = quantum.amplitudes[0, 1].abs().square().item()
        found = (batch.active_state == 1).double().mean().item()
        assert abs(found - exact) < 4 * (exact * (1 - exact) / traj) ** 0.5 + 1e-9
        seen.append(exact)
    assert max(seen) - min(seen) > 0.3


class Quiet:
    """Amplitudes move, nobody hops."""

    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


def independent_mash(x, p, spheres, *, timestep, steps):
    """Two-state MASH on the extended coupling of Tully's model 3: NAC, Bloch equation, RK4."""
    a, b, c = 6e-4, 0.1, 0.9
    state = np.zeros(len(x), dtype=np.int64)
    s = spheres.copy()

    def surfaces(x):
        tail = np.exp(-c * np.abs(x))
        w, slope = b * np.where(x < 0, tail, 2.0 - tail), b * c * tail
        half_gap = np.hypot(a, w)
        return half_gap, w * slope / half_gap, 0.5 * a * slope / half_gap**2

    def derivative(x, p, s):
        half_gap, slope, nac = surfaces(x)
        axis = np.stack((0.0 * x, 2.0 * nac * p / MASS, -2.0 * half_gap), 1)
        return p / MASS, np.where(state == 0, slope, -slope), np.cross(axis, s)

    for _ in range(steps):
        y, total = (x, p, s), [0.0, 0.0, 0.0]
        k = derivative(*y)
        for weight, ahead in ((1, 0.5), (2, 0.5), (2, 1.0), (1, 0.0)):
            total = [t + weight * slope / 6.0 for t, slope in zip(total, k, strict=True)]
            if ahead:
                k = derivative(*(v + ahead * timestep * d for v, d in zip(y, k, strict=True)))
        x, p, s = (v + timestep * t for v, t in zip(y, total, strict=True))
        wish = (s[:, 2] < 0).astype(np.int64)
        left = p * p + 2.0 * MASS * np.where(state == 0, -2.0, 2.0) * surfaces(x)[0]
        hop, refused = (wish != state) & (left >= 0), (wish != state) & (left < 0)
        p = np.where(hop, np.sign(p) * np.sqrt(np.maximum(left, 0)), np.where(refused, -p, p))
        state = np.where(hop, wish, state)
        s[:, 2] = np.where(refused, -s[:, 2], s[:, 2])
    return x, p, state


def test_two_states_are_the_mapping_approach():
    """Same spheres, same steps: the same end of every trajectory but those on the edge."""
    traj, dt, steps, potential = 300, 5.0, 520, tully(3)
    options = options_for(MASS, dt)
    batch = launch(potential, options, traj=traj, x=-8.0, velocity=14.0 / MASS, state=0)
    # S_x and S_y in the gauge of the closed form: lower (-sin, cos), upper (cos, sin).
    vectors = batch.eigenvectors[0]
    gauge = torch.sign(vectors[1, 0] * vectors[0, 1]).item()
    spheres = batch.memory[SPHERES][:, 1].numpy() * np.array([gauge, gauge, 1.0])
    x, p, state = independent_mash(
        np.full(traj, -8.0), np.full(traj, 14.0), spheres, timestep=dt, steps=steps
    )
    for _ in range(steps):
        batch = step(batch, potential, options).batch
    same = batch.active_state.numpy() == state
    near = np.abs(batch.positions[:, 0, 0].numpy() - x) < 0.1
    assert (same & near).mean() > 0.97
    assert {(int(b), bool(right)) for b, right in zip(state, x > 0, strict=True)} >= {
        (0, True),
        (0, False),
        (1, False),
    }
    assert np.abs(batch.velocities[:, 0, 0].numpy() * MASS - p)[same & near].max() < 0.3


def test_every_trajectory_finds_its_way_back():
    """Deterministic and reversible: with v and S_y reversed it comes back where it started."""
    potential, options, steps = tully(1), options_for(MASS, 3.0), 280
    first = launch(potential, options, traj=200, x=-2.5, velocity=12.0 / MASS, state=0)
    batch, hops, refused = first, 0, 0
    for _ in range(steps):
        result = step(batch, potential, options)
        batch, hops = result.batch, hops + int(result.hops.accepted.sum())
        refused += int((result.hops.attempted & ~result.hops.accepted).sum())
    assert hops > 10
    assert (total_energy(batch, options.masses) - batch.initial_total_energy).abs().max() < 2e-5
    turned = batch.memory[SPHERES] * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    batch = replace(batch, velocities=-batch.velocities, memory={SPHERES: turned})
    for _ in range(steps):
        batch = step(batch, potential, options).batch
    assert torch.equal(batch.active_state, first.active_state)
    away = (batch.positions - first.positions).abs().amax((1, 2))
    assert away.median() < 0.01
    assert (away < 0.1).double().mean() > 0.9


def test_a_trivial_crossing_passes_the_other_spheres_on():
    """States 1 and 2 cross within one step: the sphere with 0 is that of the diabatic state."""
    mass, weak = 1e6, 1e-6
    crossing = lines(
        [[-0.02, 0.002, 0.0], [0.002, 0.0, weak], [0.0, weak, 0.0]], [0.0, 0.01, -0.01], mass=mass
    )
    alone = lines([[-0.02, 0.002], [0.002, 0.0]], [0.0, 0.01], mass=mass)
    where = {"traj": 200, "x": -1.01, "velocity": 2e-3, "state": 1}
    options = options_for(mass, 25.0)
    three, two = (launch(each, options, **where) for each in (crossing, alone))
    for _ in range(40):
        three, two = step(three, crossing, options).batch, step(two, alone, options).batch
    assert (three.positions[:, 0, 0] > 0.9).all()
    followed = two.active_state == 1
    assert followed.double().mean() > 0.9
    assert (three.active_state[followed] == 2).all()
    found, expected = three.memory[SPHERES][followed, 0], two.memory[SPHERES][followed, 0]
    torch.testing.assert_close(found[:, 2], expected[:, 2], rtol=0, atol=1e-4)
    assert expected[:, 2].std() > 0.05


def test_a_third_state_that_is_not_coupled_is_not_felt():
    heavy = 2000.0
    energies = [[0.0, 0.004], [0.004, 0.0]]
    two = lines(energies, [0.01, -0.01], mass=heavy)
    third = [[*row, 0.0] for row in energies] + [[0.0, 0.0, 0.5]]
    three = lines(third, [0.01, -0.01, 0.0], mass=heavy)
    options = options_for(heavy, 10.0)
    ends = []
    for potential in (two, three):
        batch = launch(potential, options, traj=100, x=-1.0, velocity=8e-3, state=0)
        for _ in range(60):
            batch = step(batch, potential, options).batch
        ends.append(batch)
    assert torch.equal(ends[0].active_state, ends[1].active_state)
    assert 10 < int(ends[0].active_state.sum()) < 90
    torch.testing.assert_close(ends[1].positions, ends[0].positions, rtol=0, atol=1e-9)

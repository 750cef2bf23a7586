"""A recorded trajectory as a potential: its own numbers at its own geometries, NaN elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from namd.dynamics.batch import start
from namd.dynamics.decoherence.energy_based import EnergyBasedDecoherence
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.dynamics.step import step
from namd.errors import DataError
from namd.io.sharc import read_sharc_output
from namd.molecule import Molecule
from namd.potentials.protocol import Needs, Potential
from namd.validation.sharc_replay import replay_potential

FILE = Path(__file__).parents[2] / "data" / "sharc2-ch2nh2-output.dat"
ALL = Needs.COUPLINGS | Needs.FORCES


@pytest.fixture(scope="module", name="trajectory")
def make_trajectory():
    return read_sharc_output(FILE)


@pytest.fixture(scope="module", name="potential")
def make_potential(trajectory):
    return replay_potential(trajectory, name="sample")


def states(count, value):
    return torch.full((count,), value)


def test_it_is_a_potential(potential):
    assert isinstance(potential, Potential)
    assert potential.describe()["kind"] == "replay of 6 frames"
    assert len(potential.describe()["digest"]) == 64


def test_it_serves_the_numbers_of_the_file_in_any_order(trajectory, potential):
    order = torch.tensor([4, 0, 3, 3])
    x = potential.positions[order] + 1e-9
    s = potential.surfaces(x, states(4, 2), needs=ALL)
    assert torch.equal(s.energies, torch.as_tensor(trajectory.relative_energies)[order])
    g, d = torch.as_tensor(trajectory.gradients)[order], trajectory.nonadiabatic_coupling
    assert torch.equal(s.force, -g[:, 2])
    assert torch.equal(s.forces[:, 2], -g[:, 2])
    gap = s.energies[:, 2] - s.energies[:, 0]
    expected = torch.as_tensor(d)[order, 0, 2] * gap[:, None, None]
    assert torch.equal(s.couplings[:, 1], expected)
    assert torch.equal(potential.coupling(x, states(4, 0), states(4, 2)), expected)
    # Both d and the gap change sign: h is symmetric.
    assert torch.equal(potential.coupling(x, states(4, 2), states(4, 0)), expected)
    assert torch.equal(potential.coupling(x, states(4, 2), states(4, 2)), g[:, 2])


def test_rows_do_not_look_at_each_other(potential):
    chosen = torch.tensor([2, 1, 2, 0, 2, 2])
    together = potential.surfaces(potential.positions, chosen, needs=ALL)
    for k in range(6):
        row = slice(k, k + 1)
        alone = potential.surfaces(potential.positions[row], chosen[row], needs=ALL)
        for name in ("energies", "force", "eigenvectors", "couplings", "forces"):
            one, many = getattr(alone, name)[0], getattr(together, name)[k]
            torch.testing.assert_close(one, many, rtol=0, atol=0, equal_nan=True)


def test_elsewhere_nothing_is_known(potential):
    x = potential.positions[:3].clone()
    x[1, 0, 0] += 1e-3
    s = potential.surfaces(x, states(3, 2), needs=ALL)
    assert s.energies.isnan().any(1).tolist() == [False, True, False]
    assert s.force[1].isnan().all()
    assert s.couplings[1].isnan().all()
    assert not s.force[[0, 2]].isnan().any()


def test_gradients_that_were_not_computed_are_not_zero(trajectory):
    zeroed = trajectory.gradients.copy()
    zeroed[:, 0] = 0.0
    potential = replay_potential(replace(trajectory, gradients=zeroed), name="sample")
    assert potential.force(potential.positions, states(6, 0)).isnan().all()
    assert not potential.force(potential.positions, states(6, 2)).isnan().any()


def test_arrays_that_do_not_fit_are_refused(potential):
    ammonia = Molecule.from_numbers(np.array([7, 1, 1, 1]))
    with pytest.raises(DataError, match=r"positions have shape \(6, 6, 3\), expected \(6, 4, 3\)"):
        replace(potential, molecule=ammonia)


def test_a_run_follows_the_recorded_way_and_is_parked_at_its_end(trajectory, potential):
    """The production step, its own state carried on from step to step."""
    options = StepOptions(
        timestep=trajectory.timestep,
        masses=torch.as_tensor(trajectory.masses),
        seed=1,
        electronic=NacVectors(substeps=trajectory.substeps, velocities_before_hop=True),
        decoherence=EnergyBasedDecoherence(convention="amplitude"),
    )
    x, v = (torch.as_tensor(a[:1]) for a in (trajectory.positions, trajectory.velocities))
    batch = start(potential, x, v, states(1, 2), options=options)
    for frame in range(1, 6):
        batch = step(batch, potential, options).batch
        assert abs(batch.positions[0].numpy() - trajectory.positions[frame]).max() < 1e-11
        assert abs(batch.velocities[0].numpy() - trajectory.velocities[frame]).max() < 1e-12
        assert abs(batch.amplitudes[0].numpy() - trajectory.amplitudes[frame]).max() < 1e-11
    assert batch.status.item() == Status.ACTIVE
    assert step(batch, potential, options).batch.status.item() == Status.PARKED

"""Guards trip on what they are for, on nothing else, and on one trajectory at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from namd.dynamics.batch import select
from namd.dynamics.guards.broken_molecule import BrokenMolecule
from namd.dynamics.guards.not_a_number import NotANumber
from namd.dynamics.guards.total_energy import TotalEnergy
from namd.dynamics.status import Reason, Status
from namd.dynamics.step import step
from namd.errors import ConfigError, DataError
from namd.molecule import Molecule

WATER = np.array([[0.0, 0.0, 0.0], [1.81, 0.0, 0.0], [-0.45, 1.75, 0.0]])
MOLECULE = Molecule.from_numbers(np.array([8, 1, 1]))


def geometries(batch, *positions):
    """Rows of a batch whose positions are replaced (guards read nothing else of them)."""
    rows = select(batch, torch.arange(len(positions)))
    still = torch.zeros(len(positions), *WATER.shape, dtype=torch.float64)
    return replace(
        rows,
        positions=torch.tensor(np.stack(positions)),
        velocities=still,
        force=still,
        couplings=still[:, None][:, :0],
        forces=still[:, None][:, :0],
    )


def moved(atom, vector):
    positions = WATER.copy()
    positions[atom] += vector
    return positions


def test_broken_molecule(crowd):
    guard = BrokenMolecule.from_geometry(MOLECULE, WATER, stretch=1.5, closest=1.0)
    assert guard.bonds.tolist() == [[0, 1], [0, 2]]
    batch = geometries(
        crowd.batch,
        WATER,
        moved(1, [0.49 * 1.81, 0, 0]),
        moved(1, [0.51 * 1.81, 0, 0]),
        moved(2, [0, -1.0, 0]),
        moved(2, [0, 4.0, 0]),
        WATER + 100.0,
    )
    trips = guard.trips(batch, batch, masses=torch.tensor(MOLECULE.masses))
    assert trips.tolist() == [False, False, True, True, True, False]
    assert guard.reason is Reason.BROKEN_MOLECULE


def test_a_new_contact_is_no_broken_bond(crowd):
    """The hydrogens may come close (1.2 Bohr): only bonds of the reference can be stretched."""
    guard = BrokenMolecule.from_geometry(MOLECULE, WATER, stretch=1.5, closest=1.0)
    near = WATER.copy()
    near[2] = near[1] + np.array([0.0, 1.2, 0.0])
    batch = geometries(crowd.batch, near)
    assert not guard.trips(batch, batch, masses=torch.tensor(MOLECULE.masses)).any()


def test_a_reference_that_cannot_be_right_is_refused():
    with pytest.raises(DataError, match=r"atoms 0 and 2 are 0\.903 Bohr apart"):
        BrokenMolecule.from_geometry(MOLECULE, 0.5 * WATER)
    with pytest.raises(ConfigError, match="must be allowed to grow"):
        BrokenMolecule.from_geometry(MOLECULE, WATER, stretch=0.9)


def test_total_energy_jump_and_drift(crowd):
    masses = crowd.options.masses
    before = select(crowd.batch, torch.arange(4))
    lift = torch.tensor([0.0, 0.009, -0.011, float("nan")], dtype=torch.float64)
    after = replace(before, energies=before.energies + lift[:, None])
    guard = TotalEnergy(jump=0.01, drift=1.0)
    assert guard.trips(before, after, masses=masses).tolist() == [False, False, True, True]
    guard = TotalEnergy(jump=1.0, drift=0.008)
    assert guard.trips(after, after, masses=masses).tolist() == [False, True, True, True]
    with pytest.raises(ConfigError, match="drift = 0"):
        TotalEnergy(jump=1.0, drift=0.0)


def test_the_first_guard_that_trips_names_the_reason(crowd):
    always = TotalEnergy(jump=1e-30, drift=1e-30)
    for guards, reason in (
        ((NotANumber(), always), Reason.ENERGY_JUMP),
        ((always, NotANumber()), Reason.ENERGY_JUMP),
    ):
        result = step(crowd.batch, crowd.potential, replace(crowd.options, guards=guards))
        assert (result.batch.status == Status.PARKED).all()
        assert (result.batch.reason == reason).all()
        assert torch.equal(result.batch.positions, crowd.batch.positions)
        assert (result.batch.step == 0).all()
        assert not result.hops.attempted.any()


def test_nan_is_named_before_the_energy_it_spoils(crowd):
    velocities = crowd.batch.velocities.clone()
    velocities[3] = float("nan")
    guards = (NotANumber(), TotalEnergy(jump=1.0, drift=1.0))
    result = step(
        replace(crowd.batch, velocities=velocities),
        crowd.potential,
        replace(crowd.options, guards=guards),
    )
    assert result.batch.reason[3] == Reason.NOT_A_NUMBER
    assert (result.batch.reason != Reason.NONE).sum() == 1


def test_without_guards_nobody_is_parked(crowd):
    result = step(crowd.batch, crowd.potential, replace(crowd.options, guards=()))
    assert (result.batch.status == Status.ACTIVE).all()

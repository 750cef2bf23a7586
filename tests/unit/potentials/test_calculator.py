"""Programs behind the potential protocol: an ASE calculator, and an adapter with several states."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.morse import MorsePotential

from namd.dynamics.batch import start, total_energy
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.errors import ConfigError, DataError
from namd.potentials.calculator import CalculatorPotential, StateProperties, ase_potential
from namd.potentials.photoisomerization import photoisomerization
from namd.potentials.protocol import Needs, Potential
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

ALL = Needs.COUPLINGS | Needs.FORCES


@pytest.fixture(name="morse")
def make_morse():
    calculator = MorsePotential(epsilon=2.0, r0=1.2, rho0=5.0)
    return ase_potential(Atoms("N2", [[0, 0, 0], [0, 0, 1.2]], calculator=calculator))


@pytest.fixture(name="model")
def make_model():
    return photoisomerization()


@pytest.fixture(name="adapted")
def make_adapted(model):
    """The analytic model asked one geometry at a time, its basis hidden."""

    def electronics(positions):
        zero = torch.zeros(1, dtype=torch.int64)
        s = model.surfaces(torch.as_tensor(positions)[None], zero, needs=ALL)
        return StateProperties(
            energies=s.energies[0].numpy(),
            gradients=-s.forces[0].numpy(),
            couplings=s.couplings[0].numpy(),
        )

    return CalculatorPotential(
        molecule=model.molecule, states=model.states, electronics=electronics, name="adapter"
    )


def test_ase_energies_and_forces_are_in_atomic_units(morse):
    """E(r) = ε[e^{−2ρ₀(r/r₀−1)} − 2e^{−ρ₀(r/r₀−1)}] in eV and Å."""
    assert isinstance(morse, Potential)
    r = 1.5
    x = torch.zeros(2, 2, 3, dtype=torch.float64)
    x[:, 1, 2] = torch.tensor([1.2, r], dtype=torch.float64) / ANGSTROM_PER_BOHR
    s = morse.surfaces(x, torch.zeros(2, dtype=torch.int64), needs=Needs.FORCES)
    y = np.exp(-5.0 * (r / 1.2 - 1))
    assert s.energies[0, 0].item() == pytest.approx(-2.0 / EV_PER_HARTREE, rel=1e-12)
    assert s.energies[1, 0].item() == pytest.approx(2.0 * (y * y - 2 * y) / EV_PER_HARTREE)
    slope = 2.0 * (2 * y - 2 * y * y) * 5.0 / 1.2 * ANGSTROM_PER_BOHR / EV_PER_HARTREE
    assert s.force[1, 1, 2].item() == pytest.approx(-slope, rel=1e-10)
    assert torch.equal(s.forces[:, 0], s.force)
    assert morse.molecule.symbols == ("N", "N")


def test_dynamics_on_one_state_conserves_energy(morse):
    x = torch.zeros(3, 2, 3, dtype=torch.float64)
    x[:, 1, 2] = torch.tensor([2.1, 2.3, 2.5], dtype=torch.float64)
    masses = torch.as_tensor(morse.molecule.masses)
    options = StepOptions(timestep=5.0, masses=masses, seed=1)
    batch = start(morse, x, torch.zeros_like(x), torch.zeros(3, dtype=torch.int64), options=options)
    before = total_energy(batch, masses)
    for _ in range(100):
        batch = step(batch, morse, options).batch
    assert (batch.positions - x).abs().max() > 0.05
    assert (total_energy(batch, masses) - before).abs().max() < 1e-5


def test_an_adapter_gives_what_the_model_behind_it_gives(model, adapted):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(4, 2, 3, dtype=torch.float64, generator=generator)
    chosen = torch.tensor([0, 1, 1, 0])
    ours, theirs = (p.surfaces(x, chosen, needs=ALL) for p in (adapted, model))
    assert ours.eigenvectors is None
    for name in ("energies", "force", "couplings", "forces"):
        assert torch.equal(getattr(ours, name), getattr(theirs, name))
    assert torch.equal(adapted.force(x, chosen), model.force(x, chosen))
    pair = (chosen * 0, chosen * 0 + 1)
    assert torch.equal(adapted.coupling(x, *pair), model.coupling(x, *pair))
    assert torch.equal(adapted.coupling(x, *pair[::-1]), model.coupling(x, *pair))


def test_trajectories_on_an_adapter_are_those_on_the_model(model, adapted):
    x = torch.zeros(4, 2, 3, dtype=torch.float64)
    x[:, :, 0] = torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    options = StepOptions(
        timestep=4.0,
        masses=torch.as_tensor(model.molecule.masses),
        seed=6,
        electronic=NacVectors(),
    )
    excited = torch.ones(4, dtype=torch.int64)
    ends = []
    for potential in (model, adapted):
        batch = start(potential, x, torch.zeros_like(x), excited, options=options)
        for _ in range(40):
            batch = step(batch, potential, options).batch
        ends.append(batch)
    torch.testing.assert_close(ends[0].positions, ends[1].positions, rtol=0, atol=1e-12)
    populations = [batch.amplitudes.abs().square() for batch in ends]
    torch.testing.assert_close(*populations, rtol=0, atol=1e-12)


def test_methods_that_need_a_basis_are_refused(adapted):
    x = torch.zeros(1, 2, 3, dtype=torch.float64)
    options = StepOptions(timestep=1.0, masses=torch.as_tensor(adapted.molecule.masses), seed=0)
    with pytest.raises(ConfigError, match="needs a quasi-diabatic basis"):
        start(adapted, x, x, torch.zeros(1, dtype=torch.int64), options=options)


def test_a_geometry_that_is_no_number_is_not_computed(adapted):
    x = torch.zeros(2, 2, 3, dtype=torch.float64)
    x[1, 0, 0] = float("nan")
    s = adapted.surfaces(x, torch.zeros(2, dtype=torch.int64))
    assert s.energies.isnan().all(1).tolist() == [False, True]


def test_an_adapter_that_leaves_something_out_is_refused(adapted):
    def half(positions):
        return replace(adapted.electronics(positions), couplings=None)

    x = torch.zeros(1, 2, 3, dtype=torch.float64)
    with pytest.raises(DataError, match="got 2 energies and 0 couplings, expected 2 and 1"):
        replace(adapted, electronics=half).surfaces(x, torch.zeros(1, dtype=torch.int64))


def test_an_adapter_whose_states_are_out_of_order_is_refused(adapted):
    def turned(positions):
        found = adapted.electronics(positions)
        return replace(found, energies=found.energies[::-1])

    x = torch.zeros(1, 2, 3, dtype=torch.float64)
    with pytest.raises(DataError, match="do not ascend"):
        replace(adapted, electronics=turned).surfaces(x, torch.zeros(1, dtype=torch.int64))


def test_atoms_without_a_calculator_are_refused():
    with pytest.raises(DataError, match="no calculator"):
        ase_potential(Atoms("N2", [[0, 0, 0], [0, 0, 1.2]]))

"""Values of the analytic models that can be checked by hand, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
import torch

from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials import morse as morse_module
from namd.potentials.morse import morse
from namd.potentials.photoisomerization import photoisomerization
from namd.potentials.spin_boson import bath_frequencies, spin_boson
from namd.potentials.tully import tully
from namd.potentials.vibronic import linear_vibronic, vibronic_from_template
from namd.states import StateSpace
from namd.units import EV_PER_HARTREE

PYRAZINE = Path(__file__).parents[3] / "trajectories" / "pyrazine" / "LVC.template"


def at(*x):
    positions = torch.zeros(len(x), 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = torch.tensor(x, dtype=torch.float64)
    return positions


@pytest.mark.parametrize(
    ("model", "x", "energies"),
    [
        (1, 0.0, (-0.005, 0.005)),
        (1, -30.0, (-0.01, 0.01)),
        (1, 30.0, (-0.01, 0.01)),
        (2, 40.0, (0.0, 0.05)),
        (2, 0.0, (-0.025 - np.hypot(0.025, 0.015), -0.025 + np.hypot(0.025, 0.015))),
        (3, -50.0, (-6e-4, 6e-4)),
        (3, 0.0, (-np.hypot(6e-4, 0.1), np.hypot(6e-4, 0.1))),
        (3, 50.0, (-np.hypot(6e-4, 0.2), np.hypot(6e-4, 0.2))),
    ],
)
def test_tully_energies(model, x, energies):
    surfaces = tully(model).surfaces(at(x), torch.tensor([0]))
    torch.testing.assert_close(
        surfaces.energies[0], torch.tensor(energies, dtype=torch.float64), rtol=1e-12, atol=1e-15
    )


def test_y_and_z_are_inert():
    potential = tully(2)
    surfaces = potential.surfaces(at(0.7), torch.tensor([1]))
    assert surfaces.force[0, 0, 0] != 0
    assert (surfaces.force[0, 0, 1:] == 0).all()


def test_descriptions_tell_models_apart():
    digests = {make(k).describe()["digest"] for make in (tully, morse) for k in (1, 2, 3)}
    assert len(digests) == 6


@pytest.mark.parametrize(
    ("model", "pair", "x", "height"),
    [
        (1, (0, 1), 3.35978, 0.0108774),
        (1, (1, 2), 4.76577, 0.0105428),
        (2, (0, 1), 3.67097, 0.0101979),
        (2, (0, 2), 3.38564, 0.0226143),
        (3, (0, 1), 3.40675, 0.0214346),
        (3, (0, 2), 5.03351, 0.0222931),
    ],
)
def test_morse_curves_cross_under_their_couplings(model, pair, x, height):
    """Crossings from the closed form by root finding; the couplings are centred beside them."""
    numbers = morse_module.MODELS[model - 1]
    index = {(0, 1): 0, (0, 2): 1, (1, 2): 2}[pair]
    centre = numbers.crossing[index]
    crossed, coupled = (
        morse(model).surfaces(at(place), torch.tensor([0])).diabatic_hamiltonian[0].numpy()
        for place in (x, centre)
    )
    i, j = pair
    assert crossed[i, i] == pytest.approx(height, abs=3e-7)
    assert crossed[j, j] == pytest.approx(height, abs=3e-7)
    assert abs(x - centre) < 0.07
    assert coupled[i, j] == numbers.coupling[index] > 0


@pytest.mark.parametrize("model", [1, 2, 3])
def test_morse_curves_dissociate_at_their_depth(model):
    numbers = morse_module.MODELS[model - 1]
    far = morse(model).surfaces(at(60.0), torch.tensor([0])).diabatic_hamiltonian[0].diagonal()
    expected = np.add(numbers.depth, numbers.offset)
    np.testing.assert_allclose(far.numpy(), expected, atol=1e-9)


def test_no_fourth_morse_model():
    with pytest.raises(ConfigError, match="expected 1, 2 or 3"):
        morse(4)


def test_photoisomerization_at_cis_and_trans():
    potential = photoisomerization()
    positions = torch.zeros(3, 2, 3, dtype=torch.float64)
    positions[:, 0, 0] = torch.tensor([0.0, np.pi, -np.pi])
    ev = potential.surfaces(positions, torch.tensor([0, 0, 0])).energies * EV_PER_HARTREE
    expected = [[0.0, 2.48], [2.48 - 1.09, 3.6], [2.48 - 1.09, 3.6]]
    np.testing.assert_allclose(ev.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("spectrum", ["debye", "ohmic"])
def test_the_bath_carries_its_reorganisation_energy_and_spectrum(spectrum):
    """Λ = Σ c²/2ω² exactly; Σ_{ω_j<Ω} c²/2ω² against the integral of J/πω up to Ω."""
    cutoff, reorganization, number = 0.003, 0.02, 400
    potential = spin_boson(
        bias=0.0,
        coupling=0.01,
        spectrum=spectrum,
        cutoff=cutoff,
        reorganization=reorganization,
        oscillators=number,
    )
    omega = bath_frequencies(spectrum, cutoff=cutoff, oscillators=number)
    ones = torch.zeros(1, dtype=torch.int64)
    flat = torch.zeros(1, number, 3, dtype=torch.float64)
    # At the origin the states are the even and odd combinations, and h_01 holds the c_j.
    c = potential.coupling(flat, ones, ones + 1)[0, :, 0].abs().numpy()
    shares = c**2 / (2 * omega**2)
    assert shares.sum() == pytest.approx(reorganization, rel=1e-12)
    grid = np.linspace(1e-9, 2 * cutoff, 20001)
    density = {
        "debye": 2 * reorganization * grid * cutoff / (grid**2 + cutoff**2),
        "ohmic": np.pi * reorganization * grid / cutoff * np.exp(-grid / cutoff),
    }[spectrum]
    integral = np.trapezoid(density / grid, grid) / np.pi
    assert shares[omega < 2 * cutoff].sum() == pytest.approx(integral, rel=0.01)


def test_a_bath_needs_oscillators():
    with pytest.raises(ConfigError, match="at least one oscillator"):
        spin_boson(
            bias=0.0,
            coupling=0.1,
            spectrum="ohmic",
            cutoff=0.1,
            reorganization=0.1,
            oscillators=0,
        )


def test_pyrazine_in_dimensionless_coordinates():
    """W(Q) of Schneider and Domcke by hand, in eV."""
    potential = vibronic_from_template(PYRAZINE)
    q = np.array([0.7, -1.1, 0.4])
    positions = torch.zeros(1, 3, 3, dtype=torch.float64)
    positions[0, :, 0] = torch.tensor(q)
    bowl = 0.5 * (np.array([0.126, 0.074, 0.118]) * q**2).sum()
    expected = [
        [3.94 + bowl + 0.037 * q[0] - 0.105 * q[1], 0.262 * q[2]],
        [0.262 * q[2], 4.84 + bowl - 0.254 * q[0] + 0.149 * q[1]],
    ]
    found = potential.surfaces(positions, torch.tensor([0])).diabatic_hamiltonian[0]
    np.testing.assert_allclose(found.numpy() * EV_PER_HARTREE, expected, atol=1e-9)
    np.testing.assert_allclose(
        potential.molecule.masses * np.array([0.126, 0.074, 0.118]), EV_PER_HARTREE, rtol=1e-10
    )


def test_a_template_in_cartesian_coordinates(tmp_path):
    """Skew modes of a diatomic: W from Q_i = √ω_i Σ_α K_αi √M_α ΔR_α, worked out here."""
    modes = np.linalg.qr(np.random.default_rng(8).standard_normal((6, 6)))[0]
    rows = "\n".join(" ".join(f"{x:.16f}" for x in row) for row in modes)
    (tmp_path / "V0.txt").write_text(
        "Geometry\n C 6 0 0 0 12.0\n O 8 0 0 2.1 15.99491464\n"
        f"Frequencies\n0 0 0 0 0 0.01\nMass-weighted normal modes\n{rows}\n"
    )
    (tmp_path / "LVC.template").write_text(
        "V0.txt\n0 0 2\nepsilon\n2\n3 1 0.1\n3 2 0.2\nkappa\n1\n3 2 6 0.003\n"
        "lambda\n1\n3 1 2 6 0.004\n"
    )
    potential = vibronic_from_template(tmp_path / "LVC.template")
    assert potential.states.labels == ("T0", "T1")
    moved = 0.1 * np.random.default_rng(9).standard_normal((2, 3))
    root_mass = np.repeat(np.sqrt(potential.molecule.masses), 3)
    q = np.sqrt(0.01) * (modes[:, 5] * root_mass * moved.ravel()).sum()
    expected = np.diag([0.1, 0.2]) + 0.005 * q**2 * np.eye(2)
    expected += q * np.array([[0.0, 0.004], [0.004, 0.003]])
    positions = torch.as_tensor(moved + np.array([[0, 0, 0], [0, 0, 2.1]]))[None]
    found = potential.surfaces(positions, torch.tensor([0])).diabatic_hamiltonian[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_no_fourth_tully_model():
    with pytest.raises(ConfigError, match="expected 1, 2 or 3"):
        tully(4)


def test_more_states_than_diabats_and_asymmetry_are_refused():
    molecule = Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.ones(1))
    zero = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    reference = torch.zeros(1, 3, dtype=torch.float64)
    energies = torch.eye(2, dtype=torch.float64)
    potential = linear_vibronic(
        molecule,
        StateSpace.singlets(3),
        reference=reference,
        stiffness=1.0,
        energies=energies,
        slopes=zero,
    )
    with pytest.raises(ConfigError, match="3 states asked for"):
        potential.surfaces(at(0.0), torch.tensor([0]))
    crooked = energies.clone()
    crooked[0, 1] = 0.1
    with pytest.raises(ConfigError, match="symmetric"):
        linear_vibronic(
            molecule,
            StateSpace.singlets(2),
            reference=reference,
            stiffness=1.0,
            energies=crooked,
            slopes=zero,
        )

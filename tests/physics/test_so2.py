"""The shipped model of SO2 beside the calculations it was made from, and beside exact dynamics.

``tests/data/so2-reference.json`` (``examples/vibronic_from_pyscf.py``) holds SA3-CASSCF(12,9) and
SC-NEVPT2 in cc-pVTZ at the minimum and at Q = ±0.2 of every mode. The model has its slopes from
the former and its vertical energies from the latter: with CASSCF vertical energies instead it must
agree with CASSCF up to what is quadratic in Q.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from exact.vibronic import VibronicModel, populations
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.analysis.diabatic import diabatic_populations
from namd.cli.main import run
from namd.io.ensemble import read_ensemble
from namd.io.vibronic_template import read_vibronic_template
from namd.potentials.dipoles import energies_and_dipoles
from namd.potentials.vibronic import vibronic_from_template
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME, HARTREE_PER_INVERSE_CM

ROOT = Path(__file__).parents[2]
PATH = ROOT / "trajectories" / "so2" / "LVC.template"
REFERENCE = json.loads((ROOT / "tests" / "data" / "so2-reference.json").read_text("utf-8"))
MINIMUM, DISPLACED = REFERENCE["minimum"], REFERENCE["displaced"]
ORDER = np.argsort(MINIMUM["nevpt2_energies"])
"""States of the model among those of CASSCF, which has 1A2 below 1B1."""
NEVPT2, CASSCF = (np.array(MINIMUM[f"{level}_energies"])[ORDER] for level in ("nevpt2", "casscf"))
TUNING, COUPLING = (6, 7), 8
"""The a1 modes and the b2 mode among the nine."""


@pytest.fixture(name="template", scope="module")
def make_template():
    return read_vibronic_template(PATH)


@pytest.fixture(name="potential", scope="module")
def make_potential():
    return vibronic_from_template(PATH)


def test_the_symmetry_of_a_bent_molecule(template):
    """κ along a1 modes only, λ of B1 and A2 along b2 only, S0 at its minimum and uncoupled."""
    allowed = np.zeros_like(template.slopes, dtype=bool)
    allowed[[1, 1, 2, 2], [1, 1, 2, 2], [*TUNING, *TUNING]] = True
    allowed[[1, 2], [2, 1], COUPLING] = True
    np.testing.assert_array_equal(template.slopes != 0, allowed)
    # x: perpendicular to the plane, b1; y: b2; z: the axis.
    bright = np.zeros_like(template.dipoles, dtype=bool)
    bright[[0, 1, 2], [0, 1, 2], 2] = bright[[0, 1], [1, 0], 0] = bright[[1, 2], [2, 1], 1] = True
    np.testing.assert_array_equal(template.dipoles != 0, bright)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-0.2, 0.2), min_size=9, max_size=9))
def test_mirror_images_have_the_same_energies_and_turned_dipoles(moved):
    """Exchange of the oxygens by the mirror y → −y; of signs only pairs of dipoles are known."""
    potential = vibronic_from_template(PATH)
    at = torch.tensor(MINIMUM["positions"], dtype=torch.float64)
    at = at + torch.tensor(moved, dtype=torch.float64).reshape(3, 3)
    mirror = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    both = torch.stack((at, at[[0, 2, 1]] * mirror))
    energies, dipoles = energies_and_dipoles(potential, both)
    torch.testing.assert_close(energies[1], energies[0], rtol=0, atol=1e-6)
    squares = dipoles[:, :, :, None] * dipoles[:, :, None, :]
    squares[1] *= mirror[:, None] * mirror
    if energies[0].diff().min() > 1e-3:
        torch.testing.assert_close(squares[1], squares[0], rtol=0, atol=1e-5)


def test_vertical_energies_slopes_and_coupling_are_those_computed(potential):
    here = torch.tensor(MINIMUM["positions"], dtype=torch.float64)[None]
    zero = torch.tensor([0])
    energies = potential.surfaces(here, zero).energies[0].numpy()
    np.testing.assert_allclose(energies, NEVPT2 - NEVPT2[0], atol=1e-9)
    slopes = potential.gradient(here)[0].numpy()
    for state, gradient in enumerate(np.array(MINIMUM["casscf_gradients"])[ORDER]):
        np.testing.assert_allclose(slopes[state, state], gradient, atol=2e-4)
    coupling = np.array(MINIMUM["couplings"])[1, 2]
    sign = np.sign((slopes[1, 2] * coupling).sum())
    np.testing.assert_allclose(sign * slopes[1, 2], coupling, atol=2e-4)


def eigenstates_with_casscf_vertical_energies(potential, point):
    """Energies above the minimum, and states of the model, at the positions of a point."""
    w = (
        potential.hamiltonian(torch.tensor(point["positions"], dtype=torch.float64)[None])[0]
        .numpy()
        .copy()
    )
    w[np.diag_indices(3)] += (CASSCF - CASSCF[0]) - (NEVPT2 - NEVPT2[0])
    return np.linalg.eigh(w)


@pytest.mark.parametrize("point", DISPLACED, ids=lambda p: f"mode {p['mode']}, Q = {p['q']:+}")
def test_energies_and_gradients_near_the_minimum_are_those_of_casscf(potential, template, point):
    energies, states = eigenstates_with_casscf_vertical_energies(potential, point)
    error = (energies + CASSCF[0] - np.array(point["casscf_energies"])) * EV_PER_HARTREE
    assert np.abs(error).max() < 0.003
    if "casscf_gradients" not in point:
        return
    slopes = potential.gradient(torch.tensor(point["positions"], dtype=torch.float64)[None])[
        0
    ].numpy()
    found = np.einsum("ia,ijkx,ja->akx", states, slopes, states)
    # Along the vibrations, dE/dQ.
    root_mass = np.repeat(np.sqrt(template.masses), 3)
    along = template.modes[:, 6:] / root_mass[:, None] / np.sqrt(template.frequencies[6:])
    error = (found - np.array(point["casscf_gradients"])).reshape(3, 9) @ along * EV_PER_HARTREE
    assert np.abs(error).max() < 0.015


def test_the_vibrations_of_the_ground_state(template):
    """Harmonic wavenumbers of experiment: 526, 1167, 1381 cm⁻¹."""
    found = template.frequencies[6:] / HARTREE_PER_INVERSE_CM
    np.testing.assert_allclose(found, [526, 1167, 1381], rtol=0.08)


def test_signs_of_coupling_and_dipoles_belong_together(potential):
    """At Q ≠ 0 of the b2 mode μ₀₁·μ₁₂·μ₂₀ has a sign of its own, whatever the phases are."""
    (point,) = (point for point in DISPLACED if point["mode"] == COUPLING + 1)
    expected = np.array(point["dipoles"])
    _, states = eigenstates_with_casscf_vertical_energies(potential, point)
    found = np.einsum("ia,ijx,jb->abx", states, potential.dipoles.numpy(), states)
    products = [d[0, 1, 0] * d[1, 2, 1] * d[2, 0, 0] for d in (found, expected)]
    assert products[0] == pytest.approx(products[1], rel=0.2)


def sampled_spectrum(folder, capsys, *, samples):
    path = str(folder / "so2.h5")
    assert run(["sample", "wigner", "so2", "-n", str(samples), "--output", path]) == 0
    assert "3 oscillators of the model" in capsys.readouterr().err
    assert run(["analyze", "spectrum", path, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_spectrum_of_its_samples(tmp_path, capsys, template):
    """Mixing moves strength between the bands, their sum Σ f/E is that of 1B1 at the minimum."""
    found = sampled_spectrum(tmp_path, capsys, samples=2000)
    first, second = found["bands"]
    assert first["strength"] > second["strength"] > 0
    per_energy = sum(band["strength"] / band["energy_ev"] for band in found["bands"])
    moment = 2 / 3 * template.dipoles[0, 1, 0] ** 2 / EV_PER_HARTREE
    assert per_energy == pytest.approx(moment, rel=0.02)
    assert 4.1 < found["maximum_ev"] < 4.4


def run_so2(folder, capsys, **changes):
    settings_ = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    assert run(["run", "surface-hopping", "so2", "--output", str(folder), *settings_]) == 0
    return read_ensemble(folder), capsys.readouterr()


def test_a_run_excited_by_oscillator_strength(tmp_path, capsys):
    short = {"trajectories": 30, "dynamics.duration_fs": 5}
    ensemble, shown = run_so2(tmp_path / "run", capsys, **short)
    assert "by f/E² of the potential: 300 candidates" in shown.err
    assert "finished    30, parked 0" in shown.out
    assert (ensemble.active_state[0] > 0).all()
    assert ensemble.hops.accepted.any()


def test_populations_beside_exact_quantum_dynamics(tmp_path, capsys, template):
    """From diabatic 1B1; S0 stays empty though its energy is reached, for nothing leads there."""
    frames = np.arange(0, 46, 5.0)
    changes = {
        "trajectories": 100,
        "initial_conditions.excitation": "null",
        "initial_conditions.state": 1,
        "initial_conditions.basis": "diabatic",
        "dynamics.duration_fs": 45,
        "dynamics.timestep_fs": 0.25,
        "output.every_fs": 5,
    }
    ensemble, _ = run_so2(tmp_path / "run", capsys, **changes)
    found = diabatic_populations(ensemble)
    np.testing.assert_allclose(found.time_fs, frames, atol=1e-9)
    excited = slice(1, 3)
    model = VibronicModel(
        energies=template.energies[excited, excited],
        frequencies=template.frequencies[6:],
        couplings=np.moveaxis(template.slopes[excited, excited, 6:], 2, 0),
    )
    exact = populations(
        model, start=0, levels=(26, 26, 16), times=frames / FS_PER_ATOMIC_TIME, tolerance=1e-8
    )
    assert found.mean[:, 0].max() < 1e-3
    assert np.abs(found.mean[:, excited] - exact).mean() < 0.1
    assert exact[:, 1].max() > 0.5

"""The exact codes that surface hopping is compared with: analytic limits, and each other."""

import json
from pathlib import Path

import exact
import numpy as np
import pytest
from exact.cases import CASES, dimer_populations, morse_populations, pyrazine_populations
from exact.hierarchy import DebyeBath, correlation, density_matrices
from exact.split_operator import Grid, gaussian, propagate
from exact.vibronic import VibronicModel, hamiltonian, populations

STORED = json.loads(
    (Path(exact.__file__).parents[1] / "results" / "exact-populations.json").read_text("utf-8")
)["curves"]


def test_a_coherent_state_swings_with_its_oscillator():
    """⟨x⟩ = d cos ωt, and the width of the ground state does not change."""
    mass, omega, displaced, steps = 1800.0, 0.01, 0.6, 400
    width = 1 / np.sqrt(2 * mass * omega)
    grid = Grid(left=-3.0, right=3.0, points=256)
    period = 2 * np.pi / omega
    frames = propagate(
        lambda x: (0.5 * mass * omega**2 * x**2)[:, None, None],
        gaussian(grid, centre=displaced, width=width)[None],
        grid=grid,
        mass=mass,
        timestep=period / steps,
        steps=steps,
        every=steps // 8,
    )
    density = np.abs(frames[:, 0]) ** 2
    mean = density @ grid.x
    spread = np.sqrt(density @ grid.x**2 - mean**2)
    np.testing.assert_allclose(density.sum(1), 1.0, atol=1e-12)
    np.testing.assert_allclose(mean, displaced * np.cos(np.arange(9) * np.pi / 4), atol=1e-4)
    np.testing.assert_allclose(spread, width, rtol=1e-4)


def test_a_constant_coupling_makes_the_packet_oscillate_as_rabi_said():
    coupling, bias = 0.01, 0.015
    w = np.array([[bias, coupling], [coupling, -bias]])
    grid = Grid(left=-2.0, right=2.0, points=64)
    start = np.stack((gaussian(grid, centre=0.0, width=0.2), np.zeros(64)))
    frames = propagate(
        lambda x: np.broadcast_to(w, (len(x), 2, 2)),
        start,
        grid=grid,
        mass=1e4,
        timestep=2.0,
        steps=100,
        every=10,
    )
    upper = (np.abs(frames[:, 0]) ** 2).sum(1)
    rabi = np.hypot(bias, coupling)
    expected = 1 - (coupling / rabi * np.sin(20.0 * np.arange(11) * rabi)) ** 2
    np.testing.assert_allclose(upper, expected, atol=1e-10)


def test_grid_and_oscillator_basis_agree_on_a_crossing():
    """Two codes that share nothing: one mode, two tilted oscillators, strong coupling."""
    omega, kappa, coupling = 0.005, 0.004, 0.003
    couplings = np.array([[[kappa, coupling], [coupling, -0.5 * kappa]]])
    energies = np.array([[0.01, 0.001], [0.001, 0.0]])
    model = VibronicModel(energies=energies, frequencies=np.array([omega]), couplings=couplings)
    times = np.linspace(0.0, 2000.0, 21)
    basis = populations(model, start=0, levels=[60], times=times)
    # In the dimensionless coordinate Q the mass is 1/ω.
    grid = Grid(left=-12.0, right=12.0, points=256)
    start = np.stack((gaussian(grid, centre=0.0, width=1 / np.sqrt(2)), np.zeros(256)))
    frames = propagate(
        lambda q: (
            energies
            + couplings[0] * q[:, None, None]
            + np.eye(2) * (0.5 * omega * q**2)[:, None, None]
        ),
        start,
        grid=grid,
        mass=1 / omega,
        timestep=1.0,
        steps=2000,
        every=100,
    )
    np.testing.assert_allclose((np.abs(frames) ** 2).sum(2), basis, atol=1e-5)
    assert basis[:, 0].min() < 0.5
    np.testing.assert_allclose(basis.sum(1), 1.0, atol=1e-10)


def test_the_oscillator_basis_has_the_levels_of_a_displaced_oscillator():
    """One state, κQ: levels ω(n + ½) − κ²/2ω, whatever the other mode does."""
    model = VibronicModel(
        energies=np.array([[0.2]]),
        frequencies=np.array([0.01, 0.02]),
        couplings=np.array([[[0.008]], [[0.0]]]),
    )
    levels = np.linalg.eigvalsh(hamiltonian(model, (30, 4)).toarray())
    lowest = 0.2 + 0.015 - 0.5 * 0.008**2 / 0.01
    np.testing.assert_allclose(levels[:3], lowest + np.array([0.0, 0.01, 0.02]), atol=1e-10)


SYSTEM = np.array([[1.0, 0.7], [0.7, -1.0]])
SIGMA_Z = np.diag([1.0, -1.0])
UPPER = np.diag([1.0 + 0j, 0.0])


def test_without_a_bath_the_hierarchy_is_rabi():
    bath = DebyeBath(reorganization=0.0, cutoff=0.5, temperature=2.0)
    times = np.linspace(0.0, 6.0, 13)
    found = density_matrices(SYSTEM, SIGMA_Z, UPPER, bath=bath, times=times, depth=2)
    rabi = np.hypot(1.0, 0.7)
    np.testing.assert_allclose(found[:, 0, 0], 1 - (0.7 / rabi * np.sin(rabi * times)) ** 2)


def test_pure_dephasing_is_that_of_the_line_shape_function():
    """Without Δ: ρ₀₁(t) = ½ exp[−2iεt − 4 Re g(t)], g̈ = C, and populations stay."""
    bath = DebyeBath(reorganization=0.15, cutoff=0.8, temperature=4.0)
    times = np.linspace(0.0, 3.0, 13)
    both = np.full((2, 2), 0.5 + 0j)
    found = density_matrices(SIGMA_Z, SIGMA_Z, both, bath=bath, times=times, depth=12, matsubara=1)
    c, nu, _ = correlation(bath, 4000)
    decay = (np.exp(-np.outer(times, nu)) - 1 + np.outer(times, nu)) / nu**2
    expected = 0.5 * np.exp(-2j * times - 4 * (decay @ c).real)
    np.testing.assert_allclose(found[:, 0, 1], expected, atol=2e-4)
    np.testing.assert_allclose(found[:, 0, 0], 0.5, atol=1e-12)
    assert abs(expected[-1]) < 0.01


def test_a_weak_bath_brings_the_system_to_boltzmann():
    bath = DebyeBath(reorganization=0.02, cutoff=2.0, temperature=1.2)
    times = np.linspace(0.0, 300.0, 31)
    found = density_matrices(SYSTEM, SIGMA_Z, UPPER, bath=bath, times=times, depth=4)
    energies, vectors = np.linalg.eigh(SYSTEM)
    weights = np.exp(-energies / bath.temperature)
    expected = (vectors**2) @ weights / weights.sum()
    # The coupling itself shifts the equilibrium by its own order.
    np.testing.assert_allclose(np.diag(found[-1]).real, expected, atol=0.01)
    np.testing.assert_allclose(np.trace(found, axis1=1, axis2=2), 1.0, atol=1e-10)


@pytest.mark.parametrize(("name", "centre"), [("morse-1", 2.9), ("morse-2", 3.3), ("morse-3", 2.1)])
def test_stored_morse_curves_come_again_on_a_coarser_grid(name, centre):
    case = CASES[name]
    again = morse_populations(
        case.times_fs, model=int(name[-1]), centre=centre, points=1024, substeps=16
    )
    np.testing.assert_allclose(again, STORED[name]["populations"], atol=2e-4)


def test_the_stored_pyrazine_curve_comes_again_in_a_smaller_basis():
    times = CASES["pyrazine"].times_fs[:21]
    again = pyrazine_populations(times, levels=(20, 32, 32))
    np.testing.assert_allclose(again, STORED["pyrazine"]["populations"][:21], atol=1e-3)


def test_the_stored_dimer_curve_comes_again_from_a_shallower_hierarchy():
    again = dimer_populations(CASES["spin-boson"].times_fs, depth=12, matsubara=0)
    np.testing.assert_allclose(again, STORED["spin-boson"]["populations"], atol=5e-4)

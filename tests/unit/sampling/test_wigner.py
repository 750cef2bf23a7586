"""Wigner sampling against its closed form, and on the two stilbene minima."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from namd.errors import PhysicsError
from namd.molecule import Molecule
from namd.sampling.normal_modes import NormalModes, normal_modes
from namd.sampling.wigner import LowModes, is_soft, widths, wigner_sample
from namd.units import HARTREE_PER_INVERSE_CM, HARTREE_PER_KELVIN

MINIMA = Path(__file__).parents[3] / "models" / "stilbene-ssr" / "data" / "minima.h5"
ALL_HARMONIC = LowModes()
SAMPLES = 20_000


def three_modes() -> NormalModes:
    """A synthetic three-atom molecule with modes at 100, 800 and 3000 cm⁻¹."""
    rng = np.random.default_rng(4)
    positions = rng.normal(size=(3, 3)) * 2
    masses = np.array([22000.0, 1837.0, 1837.0])
    flat = normal_modes(positions, np.zeros((9, 9)), masses)
    frequencies = np.array([100.0, 800.0, 3000.0]) * HARTREE_PER_INVERSE_CM
    return NormalModes(
        positions=positions, masses=masses, frequencies=frequencies, vectors=flat.vectors
    )


def sample(
    modes: NormalModes, *, temperature_k: float, low_modes: LowModes = ALL_HARMONIC
) -> tuple[np.ndarray, np.ndarray]:
    """Mass-weighted q and p of many draws, by projection on the modes."""
    positions, velocities = wigner_sample(
        modes, np.arange(SAMPLES), temperature_k=temperature_k, low_modes=low_modes, seed=3
    )
    root = np.sqrt(modes.masses)[:, None]
    return (
        np.einsum("tax,max->tm", (positions - modes.positions) * root, modes.vectors),
        np.einsum("tax,max->tm", velocities * root, modes.vectors),
    )


@pytest.mark.parametrize("temperature_k", [0.0, 300.0, 2000.0])
def test_variances_follow_the_closed_form(temperature_k: float) -> None:
    modes = three_modes()
    q, p = sample(modes, temperature_k=temperature_k)
    omega = modes.frequencies
    coth = np.ones(3)
    if temperature_k > 0:
        coth = 1 / np.tanh(omega / (2 * HARTREE_PER_KELVIN * temperature_k))
    # The relative standard error of a variance is sqrt(2/n) = 1 %.
    np.testing.assert_allclose(q.var(0), coth / (2 * omega), rtol=0.04)
    np.testing.assert_allclose(p.var(0), coth * omega / 2, rtol=0.04)
    correlation = np.corrcoef(np.hstack((q, p)).T) - np.eye(6)
    assert np.abs(correlation).max() < 0.03
    assert np.abs(q.mean(0) / q.std(0)).max() < 0.03


def test_high_temperature_is_classical() -> None:
    modes = three_modes()
    classical = LowModes(below_inverse_cm=1e6, treatment="classical")
    hot = 1e7
    for quantum, limit in zip(
        widths(modes, temperature_k=hot, low_modes=ALL_HARMONIC),
        widths(modes, temperature_k=hot, low_modes=classical),
        strict=True,
    ):
        np.testing.assert_allclose(quantum, limit, rtol=1e-5)


def test_mean_kinetic_energy_is_half_the_zero_point_energy() -> None:
    modes = three_modes()
    _, velocities = wigner_sample(
        modes, np.arange(SAMPLES), temperature_k=0.0, low_modes=ALL_HARMONIC, seed=8
    )
    kinetic = 0.5 * np.einsum("a,tax,tax->t", modes.masses, velocities, velocities)
    np.testing.assert_allclose(kinetic.mean(), modes.frequencies.sum() / 4, rtol=0.03)


def test_no_total_momentum() -> None:
    modes = three_modes()
    positions, velocities = wigner_sample(
        modes, np.arange(50), temperature_k=300.0, low_modes=ALL_HARMONIC, seed=1
    )
    momenta = modes.masses[:, None] * velocities
    np.testing.assert_allclose(momenta.sum(1), 0, atol=1e-12)
    centre = (modes.masses[:, None] * modes.positions).sum(0) / modes.masses.sum()
    angular = np.cross(modes.positions - centre, momenta).sum(1)
    np.testing.assert_allclose(angular, 0, atol=1e-10)
    np.testing.assert_allclose(
        (modes.masses[:, None] * (positions - modes.positions)).sum(1), 0, atol=1e-8
    )


def test_a_trajectory_does_not_depend_on_the_others() -> None:
    modes = three_modes()
    options = {"temperature_k": 0.0, "low_modes": ALL_HARMONIC}
    many = wigner_sample(modes, np.arange(40), seed=5, **options)
    few = wigner_sample(modes, np.array([31, 7]), seed=5, **options)
    np.testing.assert_array_equal(many[0][[31, 7]], few[0])
    np.testing.assert_array_equal(many[1][[31, 7]], few[1])
    other = wigner_sample(modes, np.array([31, 7]), seed=6, **options)
    assert np.abs(other[0] - few[0]).min() > 0


def test_frozen_modes_stay_at_the_minimum_and_classical_ones_follow_equipartition() -> None:
    modes = three_modes()
    frozen = LowModes(below_inverse_cm=150.0, treatment="freeze")
    q, p = sample(modes, temperature_k=300.0, low_modes=frozen)
    np.testing.assert_allclose(q[:, 0], 0, atol=1e-10)
    np.testing.assert_allclose(p[:, 0], 0, atol=1e-12)
    assert q[:, 1].std() > 0
    assert is_soft(modes, frozen).tolist() == [True, False, False]
    classical = LowModes(below_inverse_cm=150.0, treatment="classical")
    _, p = sample(modes, temperature_k=300.0, low_modes=classical)
    np.testing.assert_allclose(p[:, 0].var(), 300 * HARTREE_PER_KELVIN, rtol=0.04)


def test_imaginary_modes_are_named_unless_frozen() -> None:
    modes = three_modes()
    saddle = NormalModes(
        positions=modes.positions,
        masses=modes.masses,
        frequencies=modes.frequencies * np.array([-1, 1, 1]),
        vectors=modes.vectors,
    )
    with pytest.raises(PhysicsError, match=r"mode 0 \(100i cm⁻¹\)"):
        sample(saddle, temperature_k=0.0)
    with pytest.raises(PhysicsError, match="imaginary"):
        sample(
            saddle,
            temperature_k=300.0,
            low_modes=LowModes(below_inverse_cm=200.0, treatment="classical"),
        )
    q, _ = sample(saddle, temperature_k=0.0, low_modes=LowModes(below_inverse_cm=200.0))
    np.testing.assert_allclose(q[:, 0], 0, atol=1e-10)


def test_imaginary_modes_can_be_frozen_and_the_others_are_untouched() -> None:
    modes = three_modes()
    saddle = replace(modes, frequencies=modes.frequencies * np.array([-1, 1, 1]))
    q, p = sample(saddle, temperature_k=0.0, low_modes=LowModes(imaginary="freeze"))
    np.testing.assert_allclose(q[:, 0], 0, atol=1e-10)
    np.testing.assert_allclose(p[:, 0], 0, atol=1e-12)
    reference, _ = sample(modes, temperature_k=0.0)
    np.testing.assert_allclose(q[:, 1:], reference[:, 1:], atol=1e-9)


@pytest.mark.parametrize("temperature_k", [0.0, 300.0, 1500.0])
def test_mean_energy_of_a_linear_molecule_is_that_of_its_oscillators(temperature_k: float) -> None:
    """⟨E⟩ = ½ Σ ω coth(ω/2kT) over 3N − 5 modes, half of it kinetic, half in the Hessian."""
    positions, masses = (
        np.array([[0.0, 0, -2.2], [0, 0, 0], [0, 0, 2.2]]),
        np.array([29156.9, 21874.7, 29156.9]),
    )
    hessian = np.zeros((9, 9))
    for i, j in ((0, 1), (1, 2)):
        row = np.zeros((3, 3))
        row[i, 2], row[j, 2] = 1.0, -1.0
        hessian += 1.0 * np.outer(row, row)
    for axis in (0, 1):
        row = np.zeros((3, 3))
        row[:, axis] = (1.0, -2.0, 1.0)
        hessian += 0.05 * np.outer(row, row)
    modes = normal_modes(positions, hessian, masses)
    assert len(modes.frequencies) == 4
    points, velocities = wigner_sample(
        modes, np.arange(SAMPLES), temperature_k=temperature_k, low_modes=ALL_HARMONIC, seed=6
    )
    moved = (points - positions).reshape(SAMPLES, 9)
    potential = 0.5 * np.einsum("ti,ij,tj->t", moved, hessian, moved)
    kinetic = 0.5 * np.einsum("a,tax,tax->t", masses, velocities, velocities)
    omega, kt = modes.frequencies, temperature_k * HARTREE_PER_KELVIN
    coth = 1 / np.tanh(omega / (2 * kt)) if kt > 0 else np.ones(4)
    expected = (omega * coth).sum() / 2
    error = np.sqrt(((omega * coth) ** 2).sum() / 8 / SAMPLES)  # of either half
    assert abs(potential.mean() - expected / 2) < 4 * error
    assert abs(kinetic.mean() - expected / 2) < 4 * error
    momenta = masses[:, None] * velocities
    np.testing.assert_allclose(momenta.sum(1), 0, atol=1e-11)
    np.testing.assert_allclose(np.cross(positions, momenta).sum(1), 0, atol=1e-10)
    # Nothing turns or moves along: the axis of the molecule is only bent.
    np.testing.assert_allclose(
        (np.cross(positions, masses[:, None] * moved.reshape(-1, 3, 3))).sum(1), 0, atol=1e-7
    )


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), temperature_k=st.sampled_from([0.0, 300.0]))
def test_the_distribution_turns_with_the_molecule(seed: int, temperature_k: float) -> None:
    """Covariances of positions and velocities of a turned molecule are the turned covariances."""
    rng = np.random.default_rng(seed)
    positions, masses = rng.normal(size=(4, 3)) * 2, rng.uniform(2e3, 4e4, 4)
    half = rng.normal(size=(12, 12))
    turn = Rotation.random(rng=seed).as_matrix()
    blocks = np.kron(np.eye(4), turn)

    def covariances(places: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        modes = normal_modes(places, hessian, masses)
        rows = (modes.vectors / np.sqrt(masses)[:, None]).reshape(6, 12)
        q, p = widths(modes, temperature_k=temperature_k, low_modes=ALL_HARMONIC)
        return (rows.T * q**2) @ rows, (rows.T * p**2) @ rows

    hessian = half @ half.T
    before = covariances(positions, hessian)
    after = covariances(positions @ turn.T + rng.normal(size=3), blocks @ hessian @ blocks.T)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, blocks @ one @ blocks.T, atol=1e-7 * np.abs(one).max())


@pytest.mark.parametrize("isomer", ["cis", "trans"])
def test_stilbene_minima_have_72_plausible_modes(isomer: str) -> None:
    with h5py.File(MINIMA) as file:
        group = file[isomer]
        positions, hessian = group["positions"][()], group["hessian"][()]
        masses = Molecule.from_numbers(group["atomic_numbers"][()]).masses
    modes = normal_modes(positions, hessian, masses)
    assert modes.frequencies.size == 72
    assert modes.frequencies.min() > 0
    assert 5 < modes.wavenumbers.min() < 80
    assert 3000 < modes.wavenumbers.max() < 3300
    # 12 C–H stretches, separated from everything else by a wide gap.
    assert (modes.wavenumbers > 2800).sum() == 12
    assert ((modes.wavenumbers > 2100) & (modes.wavenumbers < 2800)).sum() == 0
    _, velocities = wigner_sample(
        modes, np.arange(2000), temperature_k=0.0, low_modes=ALL_HARMONIC, seed=2
    )
    kinetic = 0.5 * np.einsum("a,tax,tax->t", masses, velocities, velocities)
    np.testing.assert_allclose(kinetic.mean(), modes.frequencies.sum() / 4, rtol=0.02)

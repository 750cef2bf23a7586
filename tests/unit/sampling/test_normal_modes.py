"""Normal modes: counts, known frequencies, rigid motions, invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from namd.errors import DataError
from namd.sampling.normal_modes import normal_modes, oscillator_modes, rigid_motions
from namd.units import ELECTRON_MASS_PER_AMU

CO2_POSITIONS = np.array([[0.0, 0.0, -2.2], [0.0, 0.0, 0.0], [0.0, 0.0, 2.2]])
CO2_MASSES = np.array([15.995, 12.0, 15.995]) * ELECTRON_MASS_PER_AMU
STRETCH, BEND = 1.0, 0.05


def springs(positions: np.ndarray, pairs: dict[tuple[int, int], float]) -> np.ndarray:
    """Hessian of harmonic bonds at their rest lengths: k e eᵀ between the two atoms."""
    hessian = np.zeros((positions.size, positions.size))
    for (i, j), constant in pairs.items():
        unit = positions[i] - positions[j]
        unit = unit / np.linalg.norm(unit)
        row = np.zeros(positions.shape)
        row[i], row[j] = unit, -unit
        hessian += constant * np.outer(row, row)
    return hessian


def co2_hessian() -> np.ndarray:
    """Two stretches and a bend in x and y, k_b (x_1 − 2 x_2 + x_3)²/2."""
    hessian = springs(CO2_POSITIONS, {(0, 1): STRETCH, (1, 2): STRETCH})
    for axis in (0, 1):
        row = np.zeros((3, 3))
        row[:, axis] = (1.0, -2.0, 1.0)
        hessian += BEND * np.outer(row, row)
    return hessian


def test_linear_molecule_has_four_modes_at_their_textbook_frequencies() -> None:
    modes = normal_modes(CO2_POSITIONS, co2_hessian(), CO2_MASSES)
    outer, centre = CO2_MASSES[0], CO2_MASSES[1]
    bend = np.sqrt(BEND * (2 / outer + 4 / centre))
    symmetric = np.sqrt(STRETCH / outer)
    antisymmetric = np.sqrt(STRETCH * (1 / outer + 2 / centre))
    expected = sorted([bend, bend, symmetric, antisymmetric])
    np.testing.assert_allclose(modes.frequencies, expected, rtol=1e-10)


@pytest.mark.parametrize("bent", [1e-7, 1e-5, 1e-4, 1e-3])
def test_a_minimum_that_is_linear_within_its_errors_keeps_both_bends(bent: float) -> None:
    """A relaxed geometry is never quite a line; what turns it about its axis is a bend."""
    positions = CO2_POSITIONS.copy()
    positions[1, 0] += bent
    exact = normal_modes(CO2_POSITIONS, co2_hessian(), CO2_MASSES)
    modes = normal_modes(positions, co2_hessian(), CO2_MASSES)
    np.testing.assert_allclose(modes.frequencies, exact.frequencies, rtol=1e-5)


def test_diatomic_and_single_particle() -> None:
    positions = np.array([[0.1, 0.2, 0.3], [1.0, 1.5, -0.2]])
    masses = np.array([1836.0, 3672.0])
    modes = normal_modes(positions, springs(positions, {(0, 1): 0.4}), masses)
    reduced = masses.prod() / masses.sum()
    np.testing.assert_allclose(modes.frequencies, [np.sqrt(0.4 / reduced)], rtol=1e-10)
    assert normal_modes(positions[:1], np.zeros((3, 3)), masses[:1]).frequencies.size == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_modes_do_not_depend_on_orientation_or_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(5, 3)) * 2
    masses = rng.uniform(1, 20, size=5) * ELECTRON_MASS_PER_AMU
    pairs = {(i, j): rng.uniform(0.05, 1.0) for i in range(5) for j in range(i)}
    turn = Rotation.random(rng=seed).as_matrix()
    moved = positions @ turn.T + rng.normal(size=3)
    first = normal_modes(positions, springs(positions, pairs), masses)
    second = normal_modes(moved, springs(moved, pairs), masses)
    assert first.frequencies.size == 9
    np.testing.assert_allclose(first.frequencies, second.frequencies, rtol=1e-7, atol=1e-9)
    rigid = rigid_motions(positions, masses)
    overlap = rigid @ first.vectors.reshape(9, -1).T
    np.testing.assert_allclose(overlap, 0, atol=1e-10)


def test_negative_curvature_is_reported_as_a_negative_frequency() -> None:
    positions = np.array([[0.0, 0, 0], [0, 0, 2.0]])
    masses = np.array([1836.0, 1836.0])
    modes = normal_modes(positions, springs(positions, {(0, 1): -0.1}), masses)
    np.testing.assert_allclose(modes.frequencies, [-np.sqrt(0.1 / 918)], rtol=1e-10)


@pytest.mark.parametrize("hessian", [np.zeros((6, 6)), np.full((9, 9), np.nan)])
def test_a_hessian_of_another_molecule_or_with_nan_is_refused(hessian: np.ndarray) -> None:
    with pytest.raises(DataError, match="finite numbers"):
        normal_modes(CO2_POSITIONS, hessian, CO2_MASSES)


def test_a_matrix_that_is_not_symmetric_is_refused() -> None:
    hessian = np.triu(np.ones((9, 9)))
    with pytest.raises(DataError, match="not symmetric"):
        normal_modes(CO2_POSITIONS, hessian, CO2_MASSES)


def test_oscillators_of_a_model_keep_every_direction_with_a_force_constant() -> None:
    """Two oscillators along x: nothing is projected out, inert coordinates are no modes."""
    masses, constants = np.array([4.0, 9.0]), np.array([0.04, 0.81])
    modes = oscillator_modes(
        np.zeros((2, 3)), np.diag([constants[0], 0, 0, constants[1], 0, 0]), masses
    )
    np.testing.assert_allclose(modes.frequencies, np.sqrt(constants / masses))
    np.testing.assert_allclose(np.abs(modes.vectors[:, :, 0]), np.eye(2), atol=1e-15)
    assert (modes.vectors[:, :, 1:] == 0).all()

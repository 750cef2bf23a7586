"""Paths that are known in closed form, and where they end."""

import numpy as np
import pytest

from namd.errors import ConfigError, PhysicsError
from namd.molecule import Molecule
from namd.potentials.calculator import StateProperties
from namd.sampling.steepest_descent import DescentPath, steepest_descent

STIFFNESS = np.array([0.05, 0.2, 0.4])
CH = Molecule.from_numbers(np.array([6, 1]))
FAR = np.array([[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]])
"""Two atoms that know nothing of each other."""


def wells(positions: np.ndarray) -> StateProperties:
    """The hydrogen in a well of three stiffnesses, the carbon in one of the first."""
    carbon, hydrogen = positions - FAR
    energy = 0.5 * (STIFFNESS @ hydrogen**2 + STIFFNESS[0] * carbon @ carbon)
    gradient = np.stack([STIFFNESS[0] * carbon, STIFFNESS * hydrogen])
    return StateProperties(
        energies=np.array([energy, energy + 1.0]), gradients=np.stack([gradient, gradient])
    )


def crossing(positions: np.ndarray) -> StateProperties:
    """Two planes that cross where the hydrogen is at its place."""
    x = positions[1, 0] - FAR[1, 0]
    slope = np.zeros((2, 3))
    slope[1, 0] = 0.1 * np.sign(x)
    return StateProperties(
        energies=np.array([-0.1 * abs(x), 0.1 * abs(x)]), gradients=np.stack([-slope, slope])
    )


def follow(electronics, start: np.ndarray, **changes) -> DescentPath:
    options = {"state": 1, "length": 1e3, "points": 21, "force_tolerance": 1e-3}
    return steepest_descent(electronics, CH, start, **{**options, "gap_tolerance": 2e-3, **changes})


def test_the_valley_of_a_harmonic_well() -> None:
    """Along the path x_i ∝ exp(−k_i t/m), so that every x_i is a power of every other."""
    start = FAR + np.array([[0.0, 0.0, 0.0], [1.0, 0.8, 0.5]])
    found = follow(wells, start)
    assert found.end == "minimum"
    moved = (found.positions - FAR)[:, 1]
    power = STIFFNESS / STIFFNESS[0]
    np.testing.assert_allclose(
        moved, (start - FAR)[1] * moved[:, :1] ** power, atol=0.01 * np.abs(start - FAR).max()
    )
    assert np.all(np.diff(found.energies[:, 1]) < 0)
    np.testing.assert_array_equal(found.positions[0], start)


def test_lengths_are_those_of_the_path() -> None:
    start = FAR + np.array([[0.3, 0.0, 0.0], [1.0, 0.8, 0.5]])
    found = follow(wells, start, points=201)
    weighted = found.positions * CH.masses[:, None] ** 0.5
    pieces = np.linalg.norm(np.diff(weighted, axis=0).reshape(200, -1), axis=1)
    np.testing.assert_allclose(pieces.sum(), found.length[-1], rtol=0.005)
    np.testing.assert_allclose(np.diff(found.length), found.length[-1] / 200)


def test_heavy_atoms_follow_slowly() -> None:
    """x ∝ exp(−kt/m): with equal stiffness the carbon's is a small power of the hydrogen's."""
    start = FAR + np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = follow(wells, start, force_tolerance=0.045)
    carbon, hydrogen = (found.positions - FAR)[:, :, 0].T
    ratio = CH.masses[1] / CH.masses[0]
    seen = hydrogen > 0.05
    np.testing.assert_allclose(carbon[seen], hydrogen[seen] ** ratio, atol=0.01)


def test_a_path_ends_where_its_state_meets_the_one_below() -> None:
    start = FAR + np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    found = follow(crossing, start)
    assert found.end == "intersection"
    assert found.positions[-1, 1, 0] - FAR[1, 0] == pytest.approx(0.0, abs=0.05)
    whole = CH.masses[1] ** 0.5 * 0.5
    asked = follow(crossing, start, length=0.5 * whole)
    assert asked.end == "length"
    assert asked.positions[-1, 1, 0] - FAR[1, 0] == pytest.approx(0.25, abs=1e-3)


def test_no_path_begins_at_a_minimum_or_on_no_state() -> None:
    with pytest.raises(PhysicsError, match="ends where it begins"):
        follow(wells, FAR)
    with pytest.raises(ConfigError, match="no state 2"):
        follow(wells, FAR + 0.1, state=2)

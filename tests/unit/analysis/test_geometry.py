"""Internal coordinates: known geometries and invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from namd.analysis.geometry import angle, dihedral, distance, min_distance, pyramidalisation

FOUR = (0, 1, 2, 3)
generic = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(size=(6, 4, 3))
)


def chain(phi: float) -> np.ndarray:
    """Four atoms with a known dihedral around the z axis, seen from j (below) to k (above)."""
    return np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1], [np.cos(phi), np.sin(phi), 1]], dtype=float)


@pytest.mark.parametrize("degrees", [-179, -90, -1, 0, 30, 90, 120, 179])
def test_dihedral_of_a_known_chain(degrees: float) -> None:
    # Along +z, +y is clockwise of +x (z points away from the viewer): positive by IUPAC.
    assert np.degrees(dihedral(chain(np.radians(degrees)), FOUR)) == pytest.approx(degrees)


@given(generic, st.integers(0, 2**32 - 1), arrays(float, 3, elements=st.floats(-9, 9)))
def test_coordinates_ignore_rotation_and_translation(
    positions: np.ndarray, seed: int, shift: np.ndarray
) -> None:
    rotation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    moved = positions @ rotation.T + shift
    # An angle near ±π may come back as ∓π: compare on the circle.
    turned = dihedral(moved, FOUR) - dihedral(positions, FOUR)
    assert np.abs(np.sin(turned / 2)).max() < 1e-6
    assert angle(moved, (0, 1, 2)) == pytest.approx(angle(positions, (0, 1, 2)), abs=1e-6)
    assert distance(moved, (0, 3)) == pytest.approx(distance(positions, (0, 3)), abs=1e-9)


@given(generic)
def test_a_mirror_turns_the_sign_of_the_dihedral_only(positions: np.ndarray) -> None:
    mirrored = positions * np.array([1.0, 1.0, -1.0])
    assert dihedral(mirrored, FOUR) == pytest.approx(-dihedral(positions, FOUR))
    assert angle(mirrored, (0, 1, 2)) == pytest.approx(angle(positions, (0, 1, 2)))


@given(generic)
def test_reading_the_chain_backwards_changes_nothing(positions: np.ndarray) -> None:
    assert dihedral(positions, (3, 2, 1, 0)) == pytest.approx(dihedral(positions, FOUR))
    assert angle(positions, (2, 1, 0)) == pytest.approx(angle(positions, (0, 1, 2)))


def test_angle_keeps_its_digits_near_zero() -> None:
    small = 1e-7
    positions = np.array([[1.0, 0, 0], [0, 0, 0], [np.cos(small), np.sin(small), 0]])
    assert float(angle(positions, (0, 1, 2))) == pytest.approx(small, rel=1e-6)


def test_shortest_of_several_distances() -> None:
    positions = np.array([[[0.0, 0, 0], [3, 0, 0], [0, 2, 0]], [[0, 0, 0], [1, 0, 0], [0, 2, 0]]])
    assert min_distance(positions, ((0, 1), (0, 2))).tolist() == [2, 1]


@pytest.mark.parametrize("degrees", [0, 10, 54.7, 90])
@pytest.mark.parametrize("side", [1, -1])
def test_pyramidalisation_of_a_known_centre(degrees: float, side: int) -> None:
    # The bond from the anchor comes in along x, tilted out of the plane of the other two.
    tilt = np.radians(degrees)
    positions = np.array(
        [
            [0, 0, 0],
            [-1.4 * np.cos(tilt), 0, side * 1.4 * np.sin(tilt)],
            [0.5, 1, 0],
            [0.6, -0.9, 0],
        ]
    )
    assert np.degrees(pyramidalisation(positions, FOUR)) == pytest.approx(degrees, abs=1e-6)
    swapped = pyramidalisation(positions, (0, 1, 3, 2))
    assert np.degrees(swapped) == pytest.approx(degrees, abs=1e-6)


@given(generic, st.integers(0, 2**32 - 1))
def test_pyramidalisation_ignores_motion_and_mirrors(positions: np.ndarray, seed: int) -> None:
    rotation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    found = pyramidalisation(positions, FOUR)
    assert ((found >= 0) & (found <= np.pi / 2)).all()
    assert pyramidalisation(positions @ rotation.T + 3.0, FOUR) == pytest.approx(found, abs=1e-6)
    assert pyramidalisation(-positions, FOUR) == pytest.approx(found)


def test_what_is_not_defined_is_not_a_number() -> None:
    line = np.arange(4.0)[:, None] * np.array([1.0, 0, 0])
    assert np.isnan(dihedral(line, FOUR))
    assert np.isnan(angle(np.zeros((3, 3)), (0, 1, 2)))
    assert np.isnan(pyramidalisation(line, FOUR))

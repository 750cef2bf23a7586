"""Farthest-point selection: covering, repeats, what the descriptor does not see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from namd.data.frames import Frames
from namd.errors import DataError
from namd.molecule import Molecule
from namd.sampling.farthest import (
    farthest_points,
    nearest_distances,
    sorted_inverse_distances,
)
from namd.sampling.thinning import Descriptor, thin_frames

WATER_AND_MORE = np.array([8, 1, 1, 6, 1])


def cloud(count: int, seed: int = 0) -> np.ndarray:
    """Frames about one geometry, atoms some 3 Bohr apart."""
    random = np.random.default_rng(seed)
    base = np.array([[0.0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 3], [3, 3, 3]])
    moved: np.ndarray = base + 0.4 * random.normal(size=(count, 5, 3))
    return moved


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(1, 25))
def test_every_frame_is_near_one_that_is_taken(seed: int, number: int) -> None:
    points = np.random.default_rng(seed).normal(size=(40, 3))
    taken = farthest_points(points, number=number, closest=0.0)
    assert taken.frames[0] == 0
    assert len(set(taken.frames.tolist())) == number
    assert (np.diff(taken.distances) <= 0).all()
    distances = cdist(points, points[taken.frames])
    assert taken.covering == pytest.approx(distances.min(1).max())
    # Taken frames are farther apart than anything is from them.
    among = cdist(points[taken.frames], points[taken.frames])
    apart = among[np.triu_indices(number, 1)].min(initial=np.inf)
    assert apart >= taken.covering - 1e-12


def test_each_frame_taken_is_the_farthest_of_all() -> None:
    points = np.random.default_rng(8).normal(size=(30, 2))
    taken = farthest_points(points, number=8, closest=0.0)
    for k in range(1, 8):
        to_earlier = cdist(points, points[taken.frames[:k]]).min(1)
        assert taken.frames[k] == to_earlier.argmax()
        assert taken.distances[k] == pytest.approx(to_earlier.max())


@settings(max_examples=15)
@given(st.integers(0, 1000), st.tuples(*[st.floats(-3, 3)] * 3))
def test_the_descriptor_sees_neither_orientation_nor_numbering(
    seed: int, turn: tuple[float, float, float]
) -> None:
    positions = cloud(3, seed)
    found = sorted_inverse_distances(WATER_AND_MORE, positions)
    turned = Rotation.from_euler("xyz", turn).apply(positions.reshape(-1, 3)).reshape(3, 5, 3) + 2.0
    exchanged = turned[:, [0, 4, 1, 3, 2]]  # among hydrogens
    np.testing.assert_allclose(
        sorted_inverse_distances(WATER_AND_MORE, exchanged), found, atol=1e-12
    )
    wrong = positions[:, [3, 1, 2, 0, 4]]  # carbon for oxygen
    assert np.abs(sorted_inverse_distances(WATER_AND_MORE, wrong) - found).max() > 1e-3


def frames(positions: np.ndarray) -> Frames:
    return Frames(
        molecule=Molecule.from_numbers(WATER_AND_MORE),
        positions=positions,
        group=np.array([f"g{k}" for k in range(len(positions))]),
        source=np.full(len(positions), "cloud"),
        carried={"time": np.arange(len(positions), dtype=float)},
    )


def test_repeats_are_dropped_and_known_frames_avoided() -> None:
    base = cloud(6)
    repeated = np.concatenate([base, base[:, [0, 2, 1, 3, 4]], base + 1e-6])
    kept, taken = thin_frames(frames(repeated), number=18, closest=1e-3)
    assert len(kept) == 6
    assert sorted(k % 6 for k in taken.frames.tolist()) == list(range(6))
    assert kept.group.tolist() == [f"g{k}" for k in taken.frames]
    assert kept.carried["time"].tolist() == taken.frames.tolist()
    step = kept.provenance["steps"][-1]
    assert (step["frames_before"], step["frames_after"]) == (18, 6)
    kept, taken = thin_frames(frames(repeated), number=18, closest=1e-3, known=frames(base[:4]))
    assert sorted(k % 6 for k in taken.frames.tolist()) == [4, 5]
    assert np.isfinite(taken.distances).all()


def test_atoms_in_one_place_are_told() -> None:
    positions = cloud(3)
    positions[1, 2] = positions[1, 1]
    with pytest.raises(DataError, match="one place") as caught:
        thin_frames(frames(positions), number=2, closest=0.0)
    assert caught.value.where == "frame 1"


@settings(max_examples=15)
@given(st.integers(0, 1000), st.floats(0, 1e4))
def test_nearest_distances_are_exact(seed: int, offset: float) -> None:
    random = np.random.default_rng(seed)
    points, others = random.normal(size=(30, 5)) + offset, random.normal(size=(20, 5)) + offset
    others[3] = points[7]
    found = nearest_distances(points, others)
    np.testing.assert_allclose(found, cdist(points, others).min(1), rtol=1e-6, atol=1e-9)
    assert found[7] == 0.0
    for groups in (np.arange(30), np.arange(30) % 4):
        foreign = np.where(groups[:, None] == groups, np.inf, cdist(points, points)).min(1)
        found = nearest_distances(points, points, groups=groups)
        np.testing.assert_allclose(found, foreign, rtol=1e-6, atol=1e-9)


def test_frames_are_thinned_by_any_descriptor() -> None:
    """One that sees the first atom's height alone takes the lowest and the highest first."""
    height = Descriptor(
        name="height",
        unit="Bohr",
        measure=lambda here, known: (
            here.positions[:, 0, 2:],
            None if known is None else known.positions[:, 0, 2:],
        ),
    )
    positions = np.repeat(cloud(1), 9, axis=0)
    positions[:, 0, 2] = np.linspace(0.0, 8.0, 9)
    kept, taken = thin_frames(frames(positions), number=3, closest=0.5, descriptor=height)
    assert taken.frames.tolist() == [0, 8, 4]
    assert kept.group.tolist() == ["g0", "g8", "g4"]
    assert kept.provenance["steps"][-1]["closest"] == "0.5 Bohr"
    known = frames(positions[:2])
    _, taken = thin_frames(frames(positions), number=9, closest=1.5, known=known, descriptor=height)
    assert taken.frames.tolist() == [8, 4, 6]

"""Scans of real molecules: exact angles, rigid rest, straight paths, rotated input."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as build
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from namd.data.permutations import bonds
from namd.errors import ConfigError, DataError
from namd.molecule import Molecule
from namd.potentials.calculator import StateProperties
from namd.sampling.internal_coordinates import (
    pyramidalisation,
    set_pyramidalisation,
    set_torsion,
    torsion,
)
from namd.sampling.paths import aligned, interpolated
from namd.sampling.scan import Noise, Pyramidalisation, make_scan, relaxed_torsion, rigid_torsion
from namd.units import ANGSTROM_PER_BOHR

ANGLES = st.floats(-np.pi, np.pi)


def geometry(name: str) -> tuple[Atoms, Molecule, np.ndarray]:
    atoms = build(name)
    return atoms, Molecule.from_numbers(atoms.numbers), atoms.positions / ANGSTROM_PER_BOHR


def bond_lengths(molecule: Molecule, positions: np.ndarray, like: np.ndarray) -> np.ndarray:
    first, second = np.nonzero(np.triu(bonds(molecule, like)))
    lengths: np.ndarray = np.linalg.norm(positions[first] - positions[second], axis=1)
    return lengths


@settings(max_examples=25)
@given(ANGLES)
def test_a_torsion_has_exactly_the_angle_asked_for(angle: float) -> None:
    atoms, molecule, start = geometry("butadiene")
    quartet = (0, 1, 2, 3)
    turned = set_torsion(molecule, start, quartet, angle=angle)
    assert np.cos(torsion(turned, quartet) - angle) == pytest.approx(1, abs=1e-12)
    atoms.positions = turned * ANGSTROM_PER_BOHR
    judge = np.radians(atoms.get_dihedral(*quartet))  # ASE's own sign and definition
    assert np.cos(judge - angle) == pytest.approx(1, abs=1e-12)
    before = bond_lengths(molecule, start, start)
    np.testing.assert_allclose(bond_lengths(molecule, turned, start), before, rtol=1e-12)


@settings(max_examples=25)
@given(st.floats(-1.2, 1.2), st.tuples(ANGLES, ANGLES, ANGLES))
def test_pyramidalisation_bends_by_the_angle_in_any_orientation(
    angle: float, turn: tuple[float, float, float]
) -> None:
    _, molecule, start = geometry("C2H4")
    start = Rotation.from_euler("xyz", turn).apply(start) + 3.0
    bent = set_pyramidalisation(molecule, start, atom=0, anchor=1, angle=angle)
    others = tuple(k for k in range(2, 6) if np.linalg.norm(start[k] - start[0]) < 2.5)
    assert len(others) == 2
    found = pyramidalisation(bent, atom=0, anchor=1, others=(others[0], others[1]))
    assert found == pytest.approx(angle, abs=1e-12)
    # The CH2 group moves as a rigid body, the rest not at all.
    fixed = [k for k in range(6) if k not in others]
    np.testing.assert_array_equal(bent[fixed], start[fixed])
    group = [0, *others]
    for positions in (bent, start):
        assert np.linalg.norm(positions[group][:, None] - positions[group], axis=-1).sum() == (
            pytest.approx(np.linalg.norm(start[group][:, None] - start[group], axis=-1).sum())
        )


def test_what_cannot_be_turned_is_refused() -> None:
    _, benzene, ring = geometry("C6H6")
    with pytest.raises(ConfigError, match="in a ring"):
        set_torsion(benzene, ring, (0, 1, 2, 3), angle=0.1)
    with pytest.raises(ConfigError, match="not bonded"):
        set_torsion(benzene, ring, (0, 1, 4, 5), angle=0.1)
    with pytest.raises(ConfigError, match="no atom 12"):
        set_torsion(benzene, ring, (0, 1, 2, 12), angle=0.1)
    with pytest.raises(ConfigError, match="twice"):
        set_torsion(benzene, ring, (0, 1, 2, 1), angle=0.1)
    _, acetylene, line = geometry("C2H2")
    with pytest.raises(ConfigError, match="on a line"):
        set_torsion(acetylene, line, (2, 0, 1, 3), angle=0.1)
    _, methane, tetrahedron = geometry("CH4")
    with pytest.raises(ConfigError, match="has the neighbours"):
        set_pyramidalisation(methane, tetrahedron, atom=0, anchor=1, angle=0.3)


def test_a_relaxed_torsion_is_held_while_the_rest_relaxes() -> None:
    """Springs between bonded atoms and next neighbours alone: they all get their lengths back."""
    _, molecule, start = geometry("H2O2")
    quartet = (2, 0, 1, 3)
    bonded = bonds(molecule, start)
    near = bonded | (bonded @ bonded)
    first, second = np.nonzero(np.triu(near, k=1))
    length = np.linalg.norm(start[first] - start[second], axis=1)

    def network(positions: np.ndarray) -> StateProperties:
        axes = positions[first] - positions[second]
        r = np.linalg.norm(axes, axis=1)
        pull = (0.3 * (r - length) / r)[:, None] * axes
        gradient = np.zeros_like(positions)
        np.add.at(gradient, first, pull)
        np.add.at(gradient, second, -pull)
        energy = 0.15 * ((r - length) ** 2).sum()
        return StateProperties(energies=np.array([energy]), gradients=gradient[None])

    stretched = start * 1.05
    angles = np.radians([150.0, 90.0, -30.0])
    points = relaxed_torsion(
        network, molecule, stretched, quartet, angles=angles.tolist(), state=0, tolerance=1e-6
    )
    for point, angle in zip(points, angles, strict=True):
        assert torsion(point, quartet) == pytest.approx(angle, abs=1e-5)
        r = np.linalg.norm(point[first] - point[second], axis=1)
        np.testing.assert_allclose(r, length, atol=1e-4)


@settings(max_examples=6)
@given(st.tuples(ANGLES, ANGLES, ANGLES), st.sampled_from(["cartesian", "distances"]))
def test_a_path_does_not_see_how_its_end_is_turned(
    turn: tuple[float, float, float], method: str
) -> None:
    _, molecule, start = geometry("C2H6")
    end = set_torsion(molecule, start, (2, 0, 1, 5), angle=torsion(start, (2, 0, 1, 5)) + 0.5)
    numbers = molecule.atomic_numbers
    path = interpolated(numbers, start, end, points=5, method=method)
    turned = Rotation.from_euler("xyz", turn).apply(end) - 4.0
    again = interpolated(numbers, start, turned, points=5, method=method)
    np.testing.assert_allclose(again, path, atol=1e-6)
    np.testing.assert_array_equal(path[0], start)
    np.testing.assert_allclose(aligned(path[-1], to=end), end, atol=1e-9)


def test_a_mirror_image_is_not_turned_inside_out() -> None:
    start = np.random.default_rng(3).normal(size=(5, 3))
    mirrored = start * [1, 1, -1]
    laid = aligned(mirrored, to=start)
    assert np.linalg.norm(laid - start) > 0.1
    distances = [np.linalg.norm(x[:, None] - x, axis=-1) for x in (laid, mirrored)]
    np.testing.assert_allclose(*distances, atol=1e-12)


def test_a_path_in_distances_keeps_a_turning_bond_longer() -> None:
    """A third of a turn of a methyl group: straight lines go through the axis, distances do not."""
    _, molecule, start = geometry("C2H6")
    end = set_torsion(molecule, start, (2, 0, 1, 5), angle=torsion(start, (2, 0, 1, 5)) + 2.0)
    numbers = molecule.atomic_numbers
    shortest = {
        method: min(
            bond_lengths(molecule, point, start).min()
            for point in interpolated(numbers, start, end, points=7, method=method)
        )
        for method in ("cartesian", "distances")
    }
    original = bond_lengths(molecule, start, start).min()
    assert shortest["cartesian"] < 0.9 * original
    assert shortest["distances"] > 0.95 * original
    with pytest.raises(ConfigError, match="1 points"):
        interpolated(numbers, start, end, points=1, method="cartesian")


def test_a_scan_is_one_group_with_what_was_added() -> None:
    _, molecule, start = geometry("C2H4")
    quartet = (2, 0, 1, 4)
    path = rigid_torsion(molecule, start, quartet, angles=[0.2, 0.5])
    bent = Pyramidalisation(atom=0, anchor=1, angles=(0.0, 0.3, 0.6))
    frames = make_scan(path, molecule, source="scan", group="twist", pyramidalise=bent)
    assert len(frames) == 6
    assert set(frames.group) == {"twist"}
    shaken = make_scan(
        path,
        molecule,
        source="scan",
        group="twist",
        pyramidalise=bent,
        noise=Noise(width=0.05, copies=4, seed=2),
    )
    assert len(shaken) == 6 * 5
    np.testing.assert_array_equal(shaken.positions[:6], frames.positions)
    moved = shaken.positions[6:].reshape(4, 6, 6, 3) - frames.positions
    assert moved.std() == pytest.approx(0.05, rel=0.1)
    assert len({row.tobytes() for row in moved.reshape(24, -1)}) == 24
    # Copies of a frame are the same in a shorter scan.
    alone = make_scan(
        path[:1], molecule, source="scan", group="g", noise=Noise(width=0.05, copies=4, seed=2)
    )
    np.testing.assert_allclose(alone.positions[1:] - path[0], moved[:, 0], atol=1e-15)


def test_frames_with_atoms_on_top_of_each_other_are_left_out() -> None:
    _, molecule, start = geometry("C2H4")
    crushed = start.copy()
    crushed[3] = crushed[2] + 0.01
    frames = make_scan(np.stack([start, crushed]), molecule, source="s", group="g")
    assert len(frames) == 1
    assert frames.provenance["steps"][-1]["left_out"] == 1
    with pytest.raises(DataError, match="every frame"):
        make_scan(crushed[None], molecule, source="s", group="g")

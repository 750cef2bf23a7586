"""The guessed Hessian: derivatives of its coordinates, invariances, textbook wavenumbers."""

import numpy as np
import pytest
from ase.build import molecule as build
from scipy.spatial.transform import Rotation

from namd.sampling.internal_coordinates import torsion
from namd.sampling.lindh import _bend, _stretch, _torsion, lindh_hessian
from namd.sampling.normal_modes import normal_modes, rigid_motions
from namd.units import ANGSTROM_PER_BOHR, ELECTRON_MASS_PER_AMU


def distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[0] - points[1]))


def angle(points: np.ndarray) -> float:
    u, v = points[0] - points[1], points[2] - points[1]
    return float(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))


def dihedral(points: np.ndarray) -> float:
    return torsion(points, (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("gradient", "value", "atoms"),
    [(_stretch, distance, 2), (_bend, angle, 3), (_torsion, dihedral, 4)],
)
def test_gradients_are_those_of_the_coordinates(gradient, value, atoms) -> None:
    rng = np.random.default_rng(atoms)
    for _ in range(5):
        points = rng.normal(size=(atoms, 3))
        found = gradient(*points).ravel()
        step = 1e-6
        shifts = step * np.eye(points.size).reshape(-1, *points.shape)
        exact = [(value(points + s) - value(points - s)) / (2 * step) for s in shifts]
        if np.dot(found, exact) < 0:  # the sense of a torsion is free: the Hessian has its square
            found = -found
        np.testing.assert_allclose(found, exact, atol=1e-6 * np.abs(exact).max())


@pytest.mark.parametrize("name", ["C2H4", "H2O", "CO2", "C6H6", "CH3SiH3"])
def test_rigid_motions_cost_nothing_and_nothing_else_does(name: str) -> None:
    atoms = build(name)
    positions = atoms.positions / ANGSTROM_PER_BOHR
    hessian = lindh_hessian(atoms.numbers, positions)
    motions = rigid_motions(positions, np.ones(len(atoms)))
    np.testing.assert_allclose(motions @ hessian, 0.0, atol=1e-10)
    values = np.linalg.eigvalsh(hessian)
    assert values[5] < 1e-10  # of CO2 the sixth is the bend in the other plane
    assert values[6] > 1e-4


def test_it_turns_with_the_molecule() -> None:
    atoms = build("CH3CH2OH")
    positions = atoms.positions / ANGSTROM_PER_BOHR
    turn = Rotation.random(rng=1).as_matrix()
    block = np.kron(np.eye(len(atoms)), turn)
    np.testing.assert_allclose(
        lindh_hessian(atoms.numbers, positions @ turn.T),
        block @ lindh_hessian(atoms.numbers, positions) @ block.T,
        atol=1e-12,
    )


def test_wavenumbers_of_ethylene_are_of_the_right_size() -> None:
    """Experiment: 826 to 3106 cm⁻¹; the springs are meant for all bonds, and a little stiff."""
    atoms = build("C2H4")
    hessian = lindh_hessian(atoms.numbers, atoms.positions / ANGSTROM_PER_BOHR)
    modes = normal_modes(
        atoms.positions / ANGSTROM_PER_BOHR, hessian, atoms.get_masses() * ELECTRON_MASS_PER_AMU
    )
    assert 300 < modes.wavenumbers.min() < 1100
    assert 2700 < modes.wavenumbers.max() < 4000

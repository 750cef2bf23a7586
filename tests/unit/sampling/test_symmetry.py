"""Point groups that are known, and Hessians that follow from a few columns."""

import numpy as np
import pytest
from ase.build import molecule as build
from scipy.spatial.transform import Rotation

from namd.data.permutations import bonds, equivalent_numberings
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.sampling.numerical_hessian import displacements, hessian_of
from namd.sampling.symmetry import complete_hessian, representatives, symmetry_operations
from namd.units import ANGSTROM_PER_BOHR


def geometry(name: str, *, seed: int = 1) -> tuple[Molecule, np.ndarray]:
    """A molecule of ASE's, turned and shifted at random."""
    atoms = build(name)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    positions = atoms.positions @ turn.T / ANGSTROM_PER_BOHR + 0.7
    return Molecule.from_numbers(atoms.numbers.astype(np.int64)), positions


def springs(positions: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Gradient of anharmonic springs between all pairs, whatever the atoms."""
    vectors = positions[:, None] - positions
    r = np.linalg.norm(vectors, axis=-1) + np.eye(len(positions))
    stretch = (r - rest) * (1 - np.eye(len(positions)))
    pull = (0.1 * stretch + 0.05 * stretch**2) / r
    return np.asarray((pull[..., None] * vectors).sum(1))


@pytest.mark.parametrize(
    ("name", "exchanges", "moved"),
    [
        # Exchanges of atoms by the group: planes that hold all atoms exchange none.
        ("H2O", 2, 2),  # C2v
        ("NH3", 6, 2),  # C3v
        ("CH4", 24, 2),  # Td
        ("C2H4", 4, 2),  # D2h
        ("C6H6", 12, 2),  # D6h
        ("CO2", 2, 2),
        ("CH3OH", 2, 5),  # Cs, its three hydrogens in one numbering of six
        ("CO", 1, 2),
    ],
)
def test_known_groups(name: str, exchanges: int, moved: int) -> None:
    molecule, positions = geometry(name)
    operations = symmetry_operations(molecule, positions)
    assert len(operations) == exchanges
    assert operations[0].numbering.tolist() == list(range(len(molecule)))
    assert len(representatives(operations)) == moved
    for operation in operations:
        np.testing.assert_allclose(operation.matrix @ operation.matrix.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("name", ["H2O", "NH3", "CH4", "C2H4", "C6H6", "CO2", "CH3OH", "CO"])
def test_a_hessian_follows_from_its_representatives(name: str) -> None:
    molecule, positions = geometry(name)
    rest = 0.95 * np.linalg.norm(positions[:, None] - positions, axis=-1)
    operations = symmetry_operations(molecule, positions)

    def differentiated(places: np.ndarray) -> np.ndarray:
        return np.stack([springs(place, rest) for place in places])

    whole = hessian_of(differentiated(displacements(positions)))
    few = displacements(positions, operations=operations)
    assert len(few) == 6 * len(representatives(operations))
    reduced = hessian_of(differentiated(few), operations=operations)
    np.testing.assert_allclose(reduced, whole, atol=1e-6)  # of the distances between ASE's atoms


def test_what_is_not_symmetric_has_no_symmetry() -> None:
    molecule, positions = geometry("CH4")
    positions = positions + 0.05 * np.random.default_rng(0).normal(size=positions.shape)
    operations = symmetry_operations(molecule, positions)
    assert len(operations) == 1
    columns = np.random.default_rng(1).normal(size=(5, 3, 5, 3))
    flat = columns.reshape(15, 15).T
    np.testing.assert_allclose(complete_hessian(columns, operations), (flat + flat.T) / 2)


def test_too_many_exchanges_to_try_are_none() -> None:
    """Three methyl groups, six exchanges each and of each with the others: 1296."""
    molecule, positions = geometry("isobutane")
    with pytest.raises(ConfigError, match="more than 1024"):
        equivalent_numberings(molecule, bonds(molecule, positions))
    assert len(symmetry_operations(molecule, positions)) == 1

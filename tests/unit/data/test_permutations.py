"""Equivalent numberings of small molecules and of stilbene."""

import numpy as np
import pytest

from namd.data.permutations import bonds, equivalent_numberings
from namd.errors import ConfigError
from namd.io.hdf5 import open_hdf5, read_array
from namd.io.library import find_file
from namd.molecule import Molecule


def stilbene(isomer: str) -> tuple[Molecule, np.ndarray]:
    with open_hdf5(find_file("models/stilbene-ssr/data/minima.h5")) as file:
        numbers = read_array(file[isomer], "atomic_numbers")
        return Molecule.from_numbers(numbers), read_array(file[isomer], "positions")


@pytest.mark.parametrize("isomer", ["cis", "trans"])
def test_stilbene_has_two_ring_flips_and_an_exchange(isomer: str) -> None:
    molecule, positions = stilbene(isomer)
    bonded = bonds(molecule, positions)
    assert bonded.sum() == 2 * 27
    numberings = equivalent_numberings(molecule, bonded)
    assert len(numberings) == 8
    assert numberings[0].tolist() == list(range(26))
    for g in numberings:
        assert (molecule.atomic_numbers[g] == molecule.atomic_numbers).all()
        assert (bonded[np.ix_(g, g)] == bonded).all()
    products = {tuple(g[h]) for g in numberings for h in numberings}
    assert products == {tuple(g) for g in numberings}


def test_methane_has_all_permutations_of_its_hydrogens() -> None:
    molecule = Molecule.from_numbers(np.array([6, 1, 1, 1, 1]))
    bonded = np.zeros((5, 5), dtype=bool)
    bonded[0, 1:] = bonded[1:, 0] = True
    assert len(equivalent_numberings(molecule, bonded)) == 24


def test_too_many_numberings_are_an_error() -> None:
    molecule = Molecule.from_numbers(np.full(9, 1))
    with pytest.raises(ConfigError, match="more than 1024"):
        equivalent_numberings(molecule, np.zeros((9, 9), dtype=bool))

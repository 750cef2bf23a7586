"""Permutations of equal atoms that leave the bonds of a molecule as they are.

Energies do not change when equal nuclei are exchanged, forces go with them, couplings do so up to
the sign of the states. A network with site labels has to learn this; showing it each frame in a
random one of these numberings (two ring flips and the exchange of both halves of stilbene make
eight) teaches it without a single new label.
"""

import numpy as np
from ase.data import covalent_radii
from jaxtyping import Bool, Float, Int

from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.units import ANGSTROM_PER_BOHR

_BOND_FACTOR = 1.3
_MOST = 1024


def bonds(molecule: Molecule, positions: Float[np.ndarray, "atom 3"]) -> Bool[np.ndarray, "a a"]:
    """Pairs closer than 1.3 times the sum of their covalent radii (positions in Bohr)."""
    radii = covalent_radii[molecule.atomic_numbers] / ANGSTROM_PER_BOHR
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    close = distances < _BOND_FACTOR * (radii[:, None] + radii)
    np.fill_diagonal(close, False)
    return np.asarray(close)


def equivalent_numberings(
    molecule: Molecule, bonded: Bool[np.ndarray, "atom atom"]
) -> Int[np.ndarray, "numbering atom"]:
    """All automorphisms of the molecular graph, the identity first.

    Parameters
    ----------
    molecule
        Gives the elements, which must match.
    bonded
        Symmetric matrix of bonds.

    Returns
    -------
    numpy.ndarray
        Row g: atom g[i] may stand in the place of atom i.

    Raises
    ------
    ConfigError
        If there are more than 1024.
    """
    kinds = _refined_kinds(molecule.atomic_numbers, bonded)
    number = len(molecule)
    found: list[tuple[int, ...]] = []

    def extend(partial: tuple[int, ...]) -> None:
        place = len(partial)
        if place == number:
            found.append(partial)
            if len(found) > _MOST:
                raise ConfigError(
                    f"the molecule has more than {_MOST} equivalent numberings of its atoms",
                    where="data.permute_equal_atoms",
                    hint="set it to false",
                )
            return
        for atom in range(number):
            fits = kinds[atom] == kinds[place] and atom not in partial
            if fits and all(bonded[place, k] == bonded[atom, p] for k, p in enumerate(partial)):
                extend((*partial, atom))

    extend(())
    return np.array(found, dtype=np.int64)


def _refined_kinds(
    atomic_numbers: Int[np.ndarray, " atom"], bonded: Bool[np.ndarray, "atom atom"]
) -> Int[np.ndarray, " atom"]:
    """Element, then repeatedly the kinds of the neighbours: what an automorphism must keep."""
    kinds = np.unique(atomic_numbers, return_inverse=True)[1]
    for _ in range(len(kinds)):
        keys = [(int(kinds[i]), *sorted(kinds[bonded[i]].tolist())) for i in range(len(kinds))]
        order = {key: rank for rank, key in enumerate(sorted(set(keys)))}
        refined = np.array([order[key] for key in keys])
        if len(order) == len(set(kinds.tolist())):
            return refined
        kinds = refined
    return kinds

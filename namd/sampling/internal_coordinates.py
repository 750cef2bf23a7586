"""Turn parts of a molecule about its bonds: exact torsions and pyramidalisations.

Fragments move as rigid bodies, so that every bond length, and every angle but those that are
meant, stays as it is.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from namd.data.permutations import bonds
from namd.errors import ConfigError
from namd.molecule import Molecule

Quartet = tuple[int, int, int, int]


def torsion(positions: Float[np.ndarray, "atom 3"], atoms: Quartet) -> float:
    """Torsion of four atoms in radians, in (−π, π]; positive clockwise along the middle bond."""
    a, b, c, d = positions[list(atoms)]
    axis = (c - b) / np.linalg.norm(c - b)
    first, second = np.cross(b - a, axis), np.cross(axis, d - c)
    return float(np.arctan2(np.cross(first, second) @ axis, first @ second))


def set_torsion(
    molecule: Molecule,
    positions: Float[np.ndarray, "atom 3"],
    atoms: Quartet,
    *,
    angle: float,
) -> Float[np.ndarray, "atom 3"]:
    """Turn the far side of a bond until a torsion has a given value.

    Parameters
    ----------
    molecule, positions
        A geometry whose bonds can be told from distances, Bohr.
    atoms
        i, j, k, l; all that hangs on k turns about the bond j–k.
    angle
        Radians.

    Raises
    ------
    ConfigError
        If j and k are not bonded or their bond is in a ring, or three of the atoms lie on a line.
    """
    _check_atoms(molecule, atoms, where="torsion")
    _, j, k, _ = atoms
    _check_straight(positions, atoms)
    moving = _behind(molecule, positions, j, k)
    axis = positions[k] - positions[j]
    turn = (angle - torsion(positions, atoms)) * axis / np.linalg.norm(axis)
    return _turned(positions, moving, centre=k, turn=turn)


def pyramidalisation(
    positions: Float[np.ndarray, "atom 3"], *, atom: int, anchor: int, others: tuple[int, int]
) -> float:
    """Angle of the bond anchor–atom with the plane of the atom and two others, radians."""
    normal, bond = _normal_and_bond(positions, atom=atom, anchor=anchor, others=others)
    return float(np.arcsin(np.clip(normal @ bond, -1.0, 1.0)))


def set_pyramidalisation(
    molecule: Molecule,
    positions: Float[np.ndarray, "atom 3"],
    *,
    atom: int,
    anchor: int,
    angle: float,
) -> Float[np.ndarray, "atom 3"]:
    """Bend the two other neighbours of a three-coordinate atom out of its plane.

    Parameters
    ----------
    molecule, positions
        A geometry whose bonds can be told from distances, Bohr.
    atom
        With three neighbours.
    anchor
        The neighbour that stays; the others, with all that hangs on them, turn about ``atom``.
    angle
        Between the bond to the anchor and the plane of the atom and the two others, radians; its
        sign tells the side, by the numbers of the two others.

    Raises
    ------
    ConfigError
        If the atom has not three neighbours, ``anchor`` is none of them, or a ring is in the way.
    """
    _check_atoms(molecule, (atom, anchor), where="pyramidalisation")
    neighbours = np.flatnonzero(bonds(molecule, positions)[atom]).tolist()
    if len(neighbours) != 3 or anchor not in neighbours:
        raise ConfigError(
            f"atom {atom} ({molecule.symbols[atom]}) has the neighbours {neighbours}",
            where="pyramidalisation",
            hint=f"choose an atom with three, atom {anchor} among them",
        )
    first, second = (k for k in neighbours if k != anchor)
    moving = _behind(molecule, positions, anchor, atom)
    normal, bond = _normal_and_bond(positions, atom=atom, anchor=anchor, others=(first, second))
    axis = np.cross(normal, bond)
    axis /= np.linalg.norm(axis)
    # About this axis the normal turns towards the bond.
    turn = (angle - np.arcsin(np.clip(normal @ bond, -1.0, 1.0))) * axis
    return _turned(positions, moving, centre=atom, turn=turn)


def _normal_and_bond(
    positions: Float[np.ndarray, "atom 3"], *, atom: int, anchor: int, others: tuple[int, int]
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Unit vectors: normal of the plane of the two others, and from anchor to atom."""
    first, second = positions[list(others)] - positions[atom]
    normal, bond = np.cross(first, second), positions[atom] - positions[anchor]
    return normal / np.linalg.norm(normal), bond / np.linalg.norm(bond)


def _behind(
    molecule: Molecule, positions: Float[np.ndarray, "atom 3"], near: int, far: int
) -> Bool[np.ndarray, " atom"]:
    """Atoms that hang on ``far`` when its bond with ``near`` is cut."""
    bonded = bonds(molecule, positions)
    names = f"{near} ({molecule.symbols[near]}) and {far} ({molecule.symbols[far]})"
    if not bonded[near, far]:
        raise ConfigError(
            f"atoms {near} and {far} are not bonded",
            where="scan",
            hint=f"atoms are numbered from 0; {far} is bonded to "
            f"{', '.join(map(str, np.flatnonzero(bonded[far]))) or 'none'}",
        )
    bonded[near, far] = bonded[far, near] = False
    reached = np.zeros(len(molecule), dtype=bool)
    reached[far] = True
    for _ in range(len(molecule)):
        reached |= bonded[reached].any(axis=0)
    if reached[near]:
        raise ConfigError(
            f"the bond of atoms {names} is in a ring",
            where="scan",
            hint="nothing can be turned about it without breaking another",
        )
    return reached


def _turned(
    positions: Float[np.ndarray, "atom 3"],
    moving: Bool[np.ndarray, " atom"],
    *,
    centre: int,
    turn: Float[np.ndarray, " 3"],
) -> Float[np.ndarray, "atom 3"]:
    """Rotate the moving atoms about one that stays, by a rotation vector."""
    turned = positions.copy()
    origin = positions[centre]
    turned[moving] = Rotation.from_rotvec(turn).apply(positions[moving] - origin) + origin
    return turned


def _check_atoms(molecule: Molecule, atoms: tuple[int, ...], *, where: str) -> None:
    missing = [atom for atom in atoms if not 0 <= atom < len(molecule)]
    if missing or len(set(atoms)) < len(atoms):
        problem = f"there is no atom {missing[0]}" if missing else "an atom is named twice"
        raise ConfigError(
            problem,
            where=f"{where} {'-'.join(map(str, atoms))}",
            hint=f"the {len(molecule)} atoms are numbered from 0",
        )


def _check_straight(positions: Float[np.ndarray, "atom 3"], atoms: Quartet) -> None:
    for three in (atoms[:3], atoms[1:]):
        a, b, c = positions[list(three)]
        area = np.linalg.norm(np.cross(a - b, c - b))
        if area < 1e-3 * np.linalg.norm(a - b) * np.linalg.norm(c - b):
            raise ConfigError(
                f"atoms {', '.join(map(str, three))} lie on a line",
                where=f"torsion {'-'.join(map(str, atoms))}",
                hint="a torsion about it has no value; choose other atoms",
            )

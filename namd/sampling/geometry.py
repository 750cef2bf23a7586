"""Read and write a geometry, and refuse one that cannot be the potential's molecule."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers as number_of
from ase.data import covalent_radii
from jaxtyping import Float, Int

from namd.data.distances import nearest_neighbours
from namd.data.lengths import BOND_RATIO
from namd.errors import DataError, ModelError
from namd.io.geometry_file import read_atoms
from namd.io.hdf5 import create_hdf5, open_hdf5, read_array, write_array
from namd.io.hessian_files import (
    GAUSSIAN_SUFFIXES,
    ORCA_SUFFIX,
    read_gaussian_checkpoint,
    read_hessian_matrix,
    read_orca_hessian,
)
from namd.molecule import Molecule
from namd.units import ANGSTROM_PER_BOHR

HDF5_SUFFIXES = frozenset({".h5", ".hdf5"})
CLOSEST_FRACTION = 0.5
"""Two atoms closer than this times the sum of their covalent radii lie on top of each other."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Geometry:
    """Elements and positions, with a Hessian if the file has one.

    Parameters
    ----------
    atomic_numbers
        One per atom.
    positions
        Bohr.
    hessian
        ∂²E/∂R∂R' flattened over (atom, xyz), Hartree/Bohr².
    charge
        Total charge in e; 0 where a file does not say.
    """

    atomic_numbers: Int[np.ndarray, " atom"]
    positions: Float[np.ndarray, "atom 3"]
    hessian: Float[np.ndarray, "coordinate coordinate"] | None = None
    charge: int = 0


def read_geometry(
    path: Path, *, name: str | None = None, hessian_file: Path | None = None
) -> Geometry:
    """Read one geometry, and its Hessian if it has one.

    Parameters
    ----------
    path
        HDF5 (atomic units), the Hessian file of a program (:mod:`namd.io.hessian_files`), or any
        format that ASE reads (Å).
    name
        Group inside an HDF5 file; ``None`` for its root.
    hessian_file
        The Hessian, if it is in a file of its own.

    Raises
    ------
    DataError
        If the file, the group or a dataset is missing or unreadable.
    """
    if hessian_file is not None:
        geometry = read_geometry(path, name=name)
        return replace(geometry, hessian=_read_hessian(hessian_file))
    if path.suffix == ORCA_SUFFIX:
        return Geometry(**read_orca_hessian(path)._asdict())
    if path.suffix in GAUSSIAN_SUFFIXES:
        return Geometry(**read_gaussian_checkpoint(path)._asdict())
    if path.suffix not in HDF5_SUFFIXES:
        atoms = read_atoms(path, index="-1")[0]
        return Geometry(
            atomic_numbers=atoms.numbers.astype(np.int64),
            positions=atoms.positions / ANGSTROM_PER_BOHR,
            charge=int(atoms.info.get("charge", 0)),
        )
    with open_hdf5(path) as file:
        group = open_group(file, name)
        numbers = read_array(group, "atomic_numbers")
        positions = read_array(group, "positions", unit="bohr")
        if numbers.ndim != 1 or positions.shape != (len(numbers), 3):
            raise DataError(
                f"atomic_numbers and positions have the shapes {list(numbers.shape)} and "
                f"{list(positions.shape)}, expected [atom] and [atom, 3]",
                where=f"{path}, {name}" if name else str(path),
                hint="one geometry is expected, of as many atoms as there are numbers",
            )
        return Geometry(
            atomic_numbers=numbers.astype(np.int64),
            positions=positions.astype(np.float64),
            hessian=read_array(group, "hessian", unit="hartree/bohr^2")
            if "hessian" in group
            else None,
            charge=int(group.attrs.get("charge", 0)),
        )


def write_geometry(geometry: Geometry, path: Path, *, overwrite: bool = False) -> None:
    """Write one geometry as HDF5, for :func:`read_geometry` to read.

    Raises
    ------
    ConfigError
        If the file exists and ``overwrite`` is false.
    DataError
        If it cannot be written.
    """
    with create_hdf5(path, overwrite=overwrite) as file:
        file.attrs["charge"] = geometry.charge
        write_array(file, "atomic_numbers", geometry.atomic_numbers, unit="1")
        write_array(file, "positions", geometry.positions, unit="bohr")
        if geometry.hessian is not None:
            write_array(file, "hessian", geometry.hessian, unit="hartree/bohr^2")


def _read_hessian(path: Path) -> Float[np.ndarray, "coordinate coordinate"]:
    """Take the Hessian of a file that may hold more, or nothing but a matrix."""
    if path.suffix == ORCA_SUFFIX:
        return read_orca_hessian(path).hessian
    if path.suffix in GAUSSIAN_SUFFIXES:
        return read_gaussian_checkpoint(path).hessian
    if path.suffix in HDF5_SUFFIXES:
        with open_hdf5(path) as file:
            return read_array(file, "hessian", unit="hartree/bohr^2")
    return read_hessian_matrix(path)


def open_group(file: h5py.File, name: str | None) -> h5py.Group:
    """Group ``name`` of an open file, or its root.

    Raises
    ------
    DataError
        If there is no such group.
    """
    if name is None:
        return file
    if not isinstance(file.get(name), h5py.Group):
        raise DataError(
            f"there is no group {name!r}",
            where=str(file.filename),
            hint=f"present: {', '.join(sorted(file)) or 'nothing'}",
        )
    return file[name]


def check_molecule(numbers: Int[np.ndarray, " atom"], molecule: Molecule, *, where: str) -> None:
    """Refuse a geometry whose atoms are not, in this order, those of the potential.

    Raises
    ------
    ModelError
        Naming the first difference.
    """
    if len(numbers) != len(molecule):
        raise ModelError(
            f"the geometry has {len(numbers)} atoms, the model was made for {len(molecule)} "
            f"({molecule.formula})",
            where=where,
            hint="choose a geometry and a model of the same molecule",
        )
    different = np.flatnonzero(numbers != molecule.atomic_numbers)
    if len(different):
        k = int(different[0])
        symbols = {z: symbol for symbol, z in number_of.items()}
        raise ModelError(
            f"atom {k} is {symbols.get(int(numbers[k]), numbers[k])}, "
            f"the model expects {molecule.symbols[k]}",
            where=where,
            hint="put the atoms in the order of the model (see its card)",
        )


def check_distances(
    positions: Float[np.ndarray, "traj atom 3"],
    molecule: Molecule,
    *,
    where: str,
    hint: str = "check the geometry and its units (HDF5: Bohr, other files: Å)",
) -> None:
    """Refuse geometries that are not finite, have two atoms on top of each other, or no bonds.

    Raises
    ------
    DataError
        Naming the trajectory, the atoms and their distance.
    """

    def place(row: int) -> str:
        return where if len(positions) == 1 else f"{where}, trajectory {row}"

    bad = np.argwhere(~np.isfinite(positions).all(axis=2))
    if len(bad):
        row, atom = (int(k) for k in bad[0])
        raise DataError(
            f"the position of atom {atom} ({molecule.symbols[atom]}) is not finite",
            where=place(row),
            hint="give every atom a position",
        )
    first, second = np.triu_indices(len(molecule), k=1)
    if not len(first):
        return
    radii = covalent_radii[molecule.atomic_numbers] / ANGSTROM_PER_BOHR
    shortest = CLOSEST_FRACTION * (radii[first] + radii[second])
    for row, geometry in enumerate(positions):
        distance = np.linalg.norm(geometry[first] - geometry[second], axis=-1)
        k = int(np.argmin(distance - shortest))
        if distance[k] < shortest[k]:
            i, j = int(first[k]), int(second[k])
            raise DataError(
                f"atoms {i} ({molecule.symbols[i]}) and {j} ({molecule.symbols[j]}) are "
                f"{distance[k] * ANGSTROM_PER_BOHR:.3f} Å apart, on top of each other",
                where=place(row),
                hint=hint,
            )
    _check_bonds(positions, radii, place=place, hint=hint)


def _check_bonds(
    positions: Float[np.ndarray, "traj atom 3"],
    radii: Float[np.ndarray, " atom"],
    *,
    place: Callable[[int], str],
    hint: str,
) -> None:
    """Refuse geometries whose bonds are drawn out as a whole, as by a wrong unit."""
    if len(radii) < 3:
        return  # two atoms may well be far apart
    distance, partner = nearest_neighbours(positions)
    ratio = np.median(distance / (radii + radii[partner]), axis=1)
    row = int(ratio.argmax())
    if ratio[row] > BOND_RATIO[1]:
        raise DataError(
            f"bonds have {ratio[row]:.2f} times their usual length",
            where=place(row),
            hint=hint,
        )

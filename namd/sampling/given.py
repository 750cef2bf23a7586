"""Initial conditions that somebody else has made: read, converted, never altered."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ase import units as ase_units
from jaxtyping import Float, Int

from namd.errors import DataError
from namd.io.geometry_file import read_atoms
from namd.io.hdf5 import open_hdf5, read_array
from namd.sampling.geometry import HDF5_SUFFIXES, open_group
from namd.schema import PROPERTIES
from namd.units import ANGSTROM_PER_BOHR, FS_PER_ATOMIC_TIME


@dataclass(frozen=True, eq=False, kw_only=True)
class PhaseSpacePoints:
    """Positions and velocities of some trajectories, with labels where the file has them.

    Parameters
    ----------
    atomic_numbers
        One per atom.
    positions, velocities
        Bohr, Bohr per atomic unit of time.
    energies, transition_dipoles
        Hartree, e·Bohr; NaN where unknown, ``None`` where the file has none.
    """

    atomic_numbers: Int[np.ndarray, " atom"]
    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    energies: Float[np.ndarray, "traj state"] | None = None
    transition_dipoles: Float[np.ndarray, "traj pair 3"] | None = None


def read_points(path: Path, *, group: str | None, count: int | None) -> PhaseSpacePoints:
    """Read the first ``count`` phase-space points of a file, or all.

    Parameters
    ----------
    path
        HDF5 in atomic units, or extended XYZ with velocities (or momenta) as ASE reads them.
    group
        Group of an HDF5 file with ``positions`` and ``velocities``, ``/`` for its root; if left
        out ``initial``, where there is one, else the root. ``atomic_numbers`` may lie in it or in
        the root.
    count
        How many trajectories are wanted, ``None`` for all there are.

    Raises
    ------
    DataError
        If the file holds fewer, or their shapes or elements do not agree.
    """
    reader = _from_hdf5 if path.suffix in HDF5_SUFFIXES else _from_xyz
    points = reader(path, group)
    expected = (*points.positions.shape[:1], len(points.atomic_numbers), 3)
    for name, values in (("positions", points.positions), ("velocities", points.velocities)):
        if values.shape != expected:
            raise DataError(
                f"{name} have shape {values.shape}, expected {expected} (trajectories, atoms, xyz)",
                where=str(path),
            )
        bad = np.argwhere(~np.isfinite(values[:count]))
        if len(bad):
            raise DataError(
                f"{name} are not all finite numbers: atom {bad[0, 1]}",
                where=f"{path}, trajectory {bad[0, 0]}",
                hint="leave this trajectory out of the file",
            )
    if count is not None and len(points.positions) < count:
        raise DataError(
            f"it holds {len(points.positions)} initial conditions, the run asks for {count}",
            where=str(path),
            hint=f"set trajectories to at most {len(points.positions)}",
        )
    labels = (points.energies, points.transition_dipoles)
    energies, dipoles = (None if values is None else values[:count] for values in labels)
    return PhaseSpacePoints(
        atomic_numbers=points.atomic_numbers,
        positions=points.positions[:count],
        velocities=points.velocities[:count],
        energies=energies,
        transition_dipoles=dipoles,
    )


def _from_hdf5(path: Path, group: str | None) -> PhaseSpacePoints:
    with open_hdf5(path) as file:
        if group is None and isinstance(file.get("initial"), h5py.Group):
            group = "initial"
        content = open_group(file, group)

        def labels(name: str) -> np.ndarray | None:
            if name not in content:
                return None
            return read_array(content, name, unit=PROPERTIES[name].unit)

        owner = content if "atomic_numbers" in content else file
        return PhaseSpacePoints(
            atomic_numbers=read_array(owner, "atomic_numbers").astype(np.int64),
            positions=read_array(content, "positions", unit=PROPERTIES["positions"].unit),
            velocities=read_array(content, "velocities", unit=PROPERTIES["velocities"].unit),
            energies=labels("energies"),
            transition_dipoles=labels("transition_dipoles"),
        )


def _from_xyz(path: Path, _group: str | None) -> PhaseSpacePoints:
    frames = read_atoms(path, index=":")
    if not frames or not all(atoms.has("momenta") for atoms in frames):
        raise DataError(
            "expected frames with velocities, found none",
            where=str(path),
            hint="write them with ASE (Atoms.set_velocities) as extended XYZ",
        )
    if any(not np.array_equal(atoms.numbers, frames[0].numbers) for atoms in frames):
        raise DataError("the frames are not all of the same molecule", where=str(path))
    # ASE: Å, and a unit of time of its own, of which `fs` make one femtosecond.
    speed = ase_units.fs * FS_PER_ATOMIC_TIME / ANGSTROM_PER_BOHR
    return PhaseSpacePoints(
        atomic_numbers=frames[0].numbers.astype(np.int64),
        positions=np.stack([atoms.positions for atoms in frames]) / ANGSTROM_PER_BOHR,
        velocities=np.stack([atoms.get_velocities() for atoms in frames]) * speed,
    )

"""Sampled phase-space points in a file: what ``namd sample`` writes and a run can start from.

An HDF5 file of the format ``namd-samples``, version 1, in atomic units::

    atomic_numbers [atom]    masses [atom]
    positions  velocities [sample, atom, xyz]
    energies [sample, state]  transition_dipoles [sample, pair, xyz]     where they were computed

with the root attributes ``method``, ``seed``, ``notes`` (JSON: what a user should know) and, beside
energies, ``states`` and ``potential`` (JSON). Programs that know nothing of it get extended XYZ.
"""

import json
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import ase
import ase.io
import numpy as np
from ase import units as ase_units
from jaxtyping import Float

from namd.errors import DataError
from namd.io.hdf5 import (
    check_format,
    create_hdf5,
    open_hdf5,
    read_array,
    read_attribute,
    write_array,
)
from namd.io.saving import refuse_existing, save_bytes
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR, FS_PER_ATOMIC_TIME

FORMAT = "namd-samples"
FORMAT_VERSION = 1
HDF5_SUFFIXES = (".h5", ".hdf5")
XYZ_SUFFIXES = (".xyz", ".extxyz")


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """Phase-space points of one molecule, atomic units.

    Parameters
    ----------
    molecule
        Of all points.
    positions, velocities
        Bohr, Bohr per atomic unit of time.
    method, seed
        How they were drawn.
    notes
        What a user should know, e.g. which modes were frozen; one line each.
    states, energies, transition_dipoles
        Labels, Hartree and e·Bohr; ``None`` where nothing was computed.
    potential
        Description of what computed them.
    """

    molecule: Molecule
    positions: Float[np.ndarray, "sample atom 3"]
    velocities: Float[np.ndarray, "sample atom 3"]
    method: str
    seed: int
    notes: tuple[str, ...] = ()
    states: StateSpace | None = None
    energies: Float[np.ndarray, "sample state"] | None = None
    transition_dipoles: Float[np.ndarray, "sample pair 3"] | None = None
    potential: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)


def check_samples_path(path: Path, *, overwrite: bool, energies: bool) -> None:
    """Refuse a name that :func:`write_samples` could not write, before any work is done for it.

    Raises
    ------
    ConfigError
        If the file exists.
    DataError
        If its suffix is none that can be written.
    """
    known = HDF5_SUFFIXES if energies else (*HDF5_SUFFIXES, *XYZ_SUFFIXES)
    if path.suffix not in known:
        raise DataError(
            f"expected a file name ending in one of: {', '.join(known)}",
            where=str(path),
            hint="energies are kept in HDF5 only" if path.suffix in XYZ_SUFFIXES else None,
        )
    if not overwrite:
        refuse_existing(path)


def write_samples(samples: Samples, path: Path, *, overwrite: bool = False) -> None:
    """Write samples as HDF5 or, by its suffix, as extended XYZ with momenta (ASE's units).

    Raises
    ------
    ConfigError
        If the file exists and ``overwrite`` is false.
    DataError
        If it cannot be written.
    """
    check_samples_path(path, overwrite=overwrite, energies=samples.energies is not None)
    if path.suffix in XYZ_SUFFIXES:
        _write_xyz(samples, path)
        return
    with create_hdf5(path, overwrite=overwrite) as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["method"] = samples.method
        file.attrs["seed"] = samples.seed
        file.attrs["charge"] = samples.molecule.charge
        file.attrs["notes"] = json.dumps(samples.notes, ensure_ascii=False)
        if samples.potential:
            file.attrs["potential"] = json.dumps(samples.potential, ensure_ascii=False)
        if samples.states is not None:
            file.attrs["states"] = " ".join(samples.states.labels)
        write_array(file, "atomic_numbers", samples.molecule.atomic_numbers, unit="1")
        write_array(file, "masses", samples.molecule.masses, unit="electron_mass")
        for name in ("positions", "velocities", "energies", "transition_dipoles"):
            values = getattr(samples, name)
            if values is not None:
                write_array(file, name, values, unit=PROPERTIES[name].unit)


def is_samples(path: Path) -> bool:
    """Whether an HDF5 file says of itself that it holds samples."""
    with open_hdf5(path) as file:
        return str(file.attrs.get("format", "")) == FORMAT


def read_samples(path: Path) -> Samples:
    """Read what :func:`write_samples` wrote as HDF5.

    Raises
    ------
    DataError
        If the file is missing, damaged, or of another kind.
    """
    with open_hdf5(path) as file:
        check_format(file, name=FORMAT, version=FORMAT_VERSION)

        def optional(name: str) -> np.ndarray | None:
            return read_array(file, name, unit=PROPERTIES[name].unit) if name in file else None

        return Samples(
            molecule=Molecule(
                atomic_numbers=read_array(file, "atomic_numbers"),
                masses=read_array(file, "masses", unit="electron_mass"),
                charge=int(file.attrs.get("charge", 0)),
            ),
            positions=read_array(file, "positions", unit=PROPERTIES["positions"].unit),
            velocities=read_array(file, "velocities", unit=PROPERTIES["velocities"].unit),
            method=read_attribute(file, "method"),
            seed=int(file.attrs.get("seed", 0)),
            notes=tuple(json.loads(str(file.attrs.get("notes", "[]")))),
            states=StateSpace(tuple(read_attribute(file, "states").split()))
            if "states" in file.attrs
            else None,
            energies=optional("energies"),
            transition_dipoles=optional("transition_dipoles"),
            potential=json.loads(str(file.attrs.get("potential", "{}"))),
        )


def _write_xyz(samples: Samples, path: Path) -> None:
    # ASE's unit of time is not the femtosecond: `ase.units.fs` of them make one.
    speed = ANGSTROM_PER_BOHR / FS_PER_ATOMIC_TIME / ase_units.fs
    frames = []
    for positions, velocities in zip(samples.positions, samples.velocities, strict=True):
        atoms = ase.Atoms(
            numbers=samples.molecule.atomic_numbers, positions=positions * ANGSTROM_PER_BOHR
        )
        atoms.set_velocities(velocities * speed)
        frames.append(atoms)
    text = StringIO()
    ase.io.write(text, frames, format="extxyz")
    save_bytes(path, text.getvalue().encode(), overwrite=True)

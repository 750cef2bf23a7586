"""Write frames to be labelled, so that :func:`namd.data.frames.read_frames` finds them again."""

import json
from io import StringIO
from pathlib import Path

import ase
import ase.io

from namd.data.frames import CARRIED, Frames
from namd.errors import DataError
from namd.io.hdf5 import create_hdf5, write_array
from namd.io.samples import HDF5_SUFFIXES, XYZ_SUFFIXES
from namd.io.saving import refuse_existing, save_bytes
from namd.schema import PROPERTIES
from namd.units import ANGSTROM_PER_BOHR


def check_frames_path(path: Path, *, overwrite: bool) -> None:
    """Refuse a name that :func:`write_frames` could not write, before any work is done for it.

    Raises
    ------
    DataError
        If the file exists, or its suffix is none that can be written.
    """
    known = (*HDF5_SUFFIXES, *XYZ_SUFFIXES)
    if path.suffix not in known:
        raise DataError(
            f"expected a file name ending in one of: {', '.join(known)}", where=str(path)
        )
    if not overwrite:
        refuse_existing(path)


def write_frames(frames: Frames, path: Path, *, overwrite: bool = False) -> None:
    """Write geometries with group, source and provenance.

    Parameters
    ----------
    frames
        What to write.
    path
        HDF5 (a plain table in atomic units), or by its suffix extended XYZ (Å; positions, charge,
        group and source alone).
    overwrite
        Replace a file of that name.

    Raises
    ------
    DataError
        If the file exists and may not be replaced, or cannot be written.
    """
    check_frames_path(path, overwrite=overwrite)
    if path.suffix in XYZ_SUFFIXES:
        _write_xyz(frames, path)
        return
    with create_hdf5(path, overwrite=overwrite) as file:
        file.attrs["charge"] = frames.molecule.charge
        file.attrs["provenance"] = json.dumps(dict(frames.provenance), ensure_ascii=False)
        write_array(file, "atomic_numbers", frames.molecule.atomic_numbers, unit="1")
        for name in ("positions", "group", "source"):
            write_array(file, name, getattr(frames, name), unit=PROPERTIES[name].unit)
        for name in CARRIED:
            if name in frames.carried:
                write_array(file, name, frames.carried[name], unit=PROPERTIES[name].unit)


def _write_xyz(frames: Frames, path: Path) -> None:
    images = [
        ase.Atoms(
            numbers=frames.molecule.atomic_numbers,
            positions=positions * ANGSTROM_PER_BOHR,
            info={"charge": frames.molecule.charge, "group": str(group), "source": str(source)},
        )
        for positions, group, source in zip(
            frames.positions, frames.group, frames.source, strict=True
        )
    ]
    text = StringIO()
    ase.io.write(text, images, format="extxyz")
    save_bytes(path, text.getvalue().encode(), overwrite=True)

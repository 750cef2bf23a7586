"""Write frames to be labelled, so that :func:`namd.data.frames.read_frames` finds them again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import ase
import ase.io
import numpy as np

from namd.data.frames import CARRIED, Frames
from namd.errors import DataError
from namd.io.hdf5 import create_hdf5, write_array
from namd.io.samples import HDF5_SUFFIXES, XYZ_SUFFIXES
from namd.io.saving import refuse_existing, save_bytes
from namd.schema import PROPERTIES
from namd.units import ANGSTROM_PER_BOHR


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """What else is told of every frame; no reader needs it.

    Parameters
    ----------
    values
        Texts or numbers, one per frame.
    unit
        ``"1"`` for what has none.
    """

    values: np.ndarray
    unit: str = "1"


def check_frames_path(
    path: Path, *, overwrite: bool, suffixes: tuple[str, ...] = (*HDF5_SUFFIXES, *XYZ_SUFFIXES)
) -> None:
    """Refuse a name that :func:`write_frames` could not write, before any work is done for it.

    Parameters
    ----------
    path
        The file to be written.
    overwrite
        Whether it may exist.
    suffixes
        What its name may end in.

    Raises
    ------
    ConfigError
        If the file exists.
    DataError
        If its suffix is none that can be written.
    """
    if path.suffix not in suffixes:
        raise DataError(
            f"expected a file name ending in one of: {', '.join(suffixes)}", where=str(path)
        )
    if not overwrite:
        refuse_existing(path)


def write_frames(
    frames: Frames,
    path: Path,
    *,
    overwrite: bool = False,
    columns: Mapping[str, Column] | None = None,
) -> None:
    """Write geometries with group, source and provenance.

    Parameters
    ----------
    frames
        What to write.
    path
        HDF5 (a plain table in atomic units), or by its suffix extended XYZ (Å; positions, charge,
        group, source and columns alone, in their unit).
    overwrite
        Replace a file of that name.
    columns
        What else is told of every frame, by its name in the file.

    Raises
    ------
    ConfigError
        If the file exists and may not be replaced.
    DataError
        If it cannot be written.
    """
    check_frames_path(path, overwrite=overwrite)
    columns = {} if columns is None else columns
    if path.suffix in XYZ_SUFFIXES:
        _write_xyz(frames, path, columns)
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
        for name, column in columns.items():
            write_array(file, name, column.values, unit=column.unit)


def _write_xyz(frames: Frames, path: Path, columns: Mapping[str, Column]) -> None:
    told = {"group": frames.group, "source": frames.source}
    told |= {name: column.values for name, column in columns.items()}
    images = [
        ase.Atoms(
            numbers=frames.molecule.atomic_numbers,
            positions=positions * ANGSTROM_PER_BOHR,
            info={"charge": frames.molecule.charge}
            | {name: values[k].item() for name, values in told.items()},
        )
        for k, positions in enumerate(frames.positions)
    ]
    text = StringIO()
    ase.io.write(text, images, format="extxyz")
    save_bytes(path, text.getvalue().encode(), overwrite=True)

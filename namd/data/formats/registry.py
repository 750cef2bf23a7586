"""Every file format of labelled data: how it is recognised, read and written.

What is read is told by its content, never by its name; what is written, by the end of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from namd.data.dataset import Dataset
from namd.data.formats import ase_db, extended_xyz, sharc, shnitsel, shnitsel_layout, spainn_layout
from namd.data.formats.shnitsel_writer import write_shnitsel
from namd.data.formats.stated import Stated
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.errors import ConfigError, DataError
from namd.io.hdf5 import HDF5_SIGNATURE

_HEAD = 4096

UNITS: dict[str, tuple[str, ...]] = {
    name: (unit,) for name, unit in spainn_layout.UNITS.items()
} | shnitsel_layout.UNITS
"""Quantities whose unit a user may state, and the atomic units that it may be like."""


@runtime_checkable
class Writer(Protocol):
    """Writes a whole file, atomically."""

    def __call__(self, dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
        """Write ``dataset`` to ``path``."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of file.

    Parameters
    ----------
    name
        The word on the command line.
    suffixes
        Ends of names that mean this format.
    summary
        What it is, in a few words.
    recognises
        Whether a file is one.
    read
        Reader; raises :class:`~namd.errors.DataError`.
    write
        Writer; raises :class:`~namd.errors.DataError`, too.
    """

    name: str
    suffixes: tuple[str, ...]
    summary: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, Stated], Dataset]
    write: Writer


def _read_hdf5(path: Path, stated: Stated) -> Dataset:
    return stated.take(read_dataset(path))


def _is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5, and none of the formats that are HDF5 as well."""
    begins = _begins(lambda head: head.startswith(HDF5_SIGNATURE))
    return begins(path) and not shnitsel.recognises(path)


def _begins(recognises: Callable[[bytes], bool]) -> Callable[[Path], bool]:
    """Ask a question of how a file begins."""

    def of_file(path: Path) -> bool:
        with path.open("rb") as stream:
            return recognises(stream.read(_HEAD))

    return of_file


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            name="hdf5",
            suffixes=(".h5", ".hdf5"),
            summary="datasets of namd; plain tables of frames (read only)",
            recognises=_is_hdf5,
            read=_read_hdf5,
            write=write_dataset,
        ),
        Format(
            name="xyz",
            suffixes=(".xyz", ".extxyz"),
            summary="extended XYZ with several states, eV and Å",
            recognises=_begins(extended_xyz.recognises),
            read=extended_xyz.read_extended_xyz,
            write=extended_xyz.write_extended_xyz,
        ),
        Format(
            name="ase-db",
            suffixes=(".db",),
            summary="ASE database of SPaiNN; that of SchNarc (read only)",
            recognises=_begins(ase_db.recognises),
            read=ase_db.read_ase_db,
            write=ase_db.write_ase_db,
        ),
        Format(
            name="shnitsel",
            suffixes=(".nc",),
            summary="NetCDF trajectories of SHNITSEL",
            recognises=shnitsel.recognises,
            read=shnitsel.read_shnitsel,
            write=write_shnitsel,
        ),
        Format(
            name="sharc",
            suffixes=(".dat",),
            summary="output.dat of SHARC 2 to 4, one trajectory",
            recognises=_begins(sharc.recognises),
            read=sharc.read_sharc,
            write=sharc.write_sharc,
        ),
    )
}


def format_of_content(path: Path) -> Format:
    """Tell the format of a file by its content.

    Raises
    ------
    DataError
        If it cannot be read, or is of no known format.
    """
    try:
        for entry in FORMATS.values():
            if entry.recognises(path):
                return entry
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="check the path"
        ) from error
    raise DataError(
        "the file is of no format that namd reads",
        where=str(path),
        hint="known: " + "; ".join(f"{entry.name} ({entry.summary})" for entry in FORMATS.values()),
    )


def writer_for(path: Path, *, name: str | None = None) -> Writer:
    """Choose the writer of a file.

    Parameters
    ----------
    path
        The file to be written; the end of its name tells the format.
    name
        Name of the format, whatever the file is called.

    Raises
    ------
    ConfigError
        If the end of the name says nothing.
    """
    chosen = [
        entry
        for entry in FORMATS.values()
        if (entry.name == name if name else path.suffix.lower() in entry.suffixes)
    ]
    if not chosen:
        raise ConfigError(
            f"the name does not tell a format, expected an end of "
            f"{', '.join(suffix for entry in FORMATS.values() for suffix in entry.suffixes)}",
            where=str(path),
            hint=f"name the format with --to {{{','.join(FORMATS)}}}",
        )
    return chosen[0].write

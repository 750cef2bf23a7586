"""Every file format of labelled data: how it is recognised, read and written.

What is read is told by its content, never by its name; what is written, by the end of its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from namd.data.dataset import Dataset
from namd.data.formats import ase_db, extended_xyz, sharc
from namd.data.formats.stated import Stated
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.errors import ConfigError, DataError
from namd.io.hdf5 import HDF5_SIGNATURE

_HEAD = 4096


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
        Whether a file that begins with these bytes is one.
    read
        Reader; raises :class:`~namd.errors.DataError`.
    write
        Writer, None where there is none.
    """

    name: str
    suffixes: tuple[str, ...]
    summary: str
    recognises: Callable[[bytes], bool]
    read: Callable[[Path, Stated], Dataset]
    write: Writer | None = None


def _read_hdf5(path: Path, stated: Stated) -> Dataset:
    return stated.take(read_dataset(path))


def _is_hdf5(head: bytes) -> bool:
    return head.startswith(HDF5_SIGNATURE)


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
            recognises=extended_xyz.recognises,
            read=extended_xyz.read_extended_xyz,
            write=extended_xyz.write_extended_xyz,
        ),
        Format(
            name="ase-db",
            suffixes=(".db",),
            summary="ASE database of SPaiNN; that of SchNarc (read only)",
            recognises=ase_db.recognises,
            read=ase_db.read_ase_db,
            write=ase_db.write_ase_db,
        ),
        Format(
            name="sharc",
            suffixes=(".dat",),
            summary="output.dat of SHARC 2 (read only)",
            recognises=sharc.recognises,
            read=sharc.read_sharc,
        ),
    )
}


def format_of_content(path: Path) -> Format:
    """Tell the format of a file by how it begins.

    Raises
    ------
    DataError
        If it cannot be read, or is of no known format.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="check the path"
        ) from error
    for entry in FORMATS.values():
        if entry.recognises(head):
            return entry
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
        If the end of the name says nothing, or the format can only be read.
    """
    writable = {entry.name: entry for entry in FORMATS.values() if entry.write is not None}
    chosen = [
        entry
        for entry in FORMATS.values()
        if (entry.name == name if name else path.suffix.lower() in entry.suffixes)
    ]
    if not chosen:
        raise ConfigError(
            f"the name does not tell a format, expected an end of "
            f"{', '.join(suffix for entry in writable.values() for suffix in entry.suffixes)}",
            where=str(path),
            hint=f"name the format with --to {{{','.join(writable)}}}",
        )
    if chosen[0].write is None:
        raise ConfigError(
            f"{chosen[0].name} can only be read",
            where=str(path),
            hint=f"write one of {', '.join(writable)}",
        )
    return chosen[0].write

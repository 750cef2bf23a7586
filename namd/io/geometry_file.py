"""Geometry files in any format that ASE knows."""

from pathlib import Path

import ase.io

from namd.errors import DataError


def read_atoms(path: Path, *, index: str, file_format: str | None = None) -> list[ase.Atoms]:
    """Frames of a geometry file.

    Parameters
    ----------
    path
        The file.
    index
        Which frames, as ASE writes it: ``-1`` the last, ``:`` all.
    file_format
        ASE's name of the format; the end of the file's name tells it if left out.

    Raises
    ------
    DataError
        If ASE cannot make sense of the file.
    """
    try:
        return list(ase.io.iread(path, index=index, format=file_format))
    except Exception as error:  # each of ASE's readers fails in its own way
        raise DataError(
            f"ASE cannot read a geometry from it: {error or type(error).__name__}",
            where=str(path),
            hint="is it a geometry file, and does its name end in the format (.xyz, .gen, …)?",
        ) from error

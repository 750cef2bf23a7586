"""Geometry files in any format that ASE knows."""

from pathlib import Path

import ase.io

from namd.errors import DataError


def read_atoms(path: Path, *, index: str) -> list[ase.Atoms]:
    """Frames of a geometry file.

    Parameters
    ----------
    path
        The file; the end of its name tells the format.
    index
        Which frames, as ASE writes it: ``-1`` the last, ``:`` all.

    Raises
    ------
    DataError
        If ASE cannot make sense of the file.
    """
    try:
        return list(ase.io.iread(path, index=index))
    except Exception as error:  # each of ASE's readers fails in its own way
        raise DataError(
            f"ASE cannot read a geometry from it: {error or type(error).__name__}",
            where=str(path),
            hint="is it a geometry file, and does its name end in the format (.xyz, .gen, …)?",
        ) from error

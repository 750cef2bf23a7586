"""Read a labelled dataset, whichever of the known HDF5 layouts it is in."""

from pathlib import Path

import h5py

from namd.data.dataset import Dataset
from namd.data.native import read_native
from namd.data.plain import read_plain
from namd.errors import DataError
from namd.io.hdf5 import open_hdf5


def read_dataset(path: Path | str) -> Dataset:
    """Read a dataset in the native or in the plain layout.

    Parameters
    ----------
    path
        HDF5 file: native (:mod:`namd.data.native`, recognised by its ``format`` attribute) or a
        plain table of frames (:mod:`namd.data.plain`).

    Returns
    -------
    Dataset
        Well-formed, in double precision and atomic units. Whether the numbers can be right is
        not asked here, see :func:`namd.data.checks.check_dataset`.

    Raises
    ------
    DataError
        If the file is absent, truncated, not HDF5, of another kind or version, or lacks a dataset.
    """
    with open_hdf5(path) as file:
        try:
            return read_native(file) if "format" in file.attrs else _read_plain_or_say_why(file)
        except DataError as error:
            raise _with_path(error, str(path)) from error


def _read_plain_or_say_why(file: h5py.File) -> Dataset:
    try:
        return read_plain(file)
    except DataError as error:
        if "positions" in file and "energies" in file:
            raise
        raise DataError(
            f"{error.message}: this HDF5 file is not a dataset of labelled frames",
            where=error.where,
            hint=f"{error.hint}; files of other programs are read by `namd data convert IN OUT`",
        ) from error


def _with_path(error: DataError, path: str) -> DataError:
    """Put the file's name in front of where the error is."""
    where = error.where or ""
    if path not in where:
        where = f"{path}  {where}".rstrip()
    return DataError(error.message, where=where, hint=error.hint)

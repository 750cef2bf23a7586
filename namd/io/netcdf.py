"""NetCDF-4 by h5py alone: variables whose axes have names.

A NetCDF-4 file is an HDF5 file in which every dimension is a *dimension scale*: a dataset of the
dimension's name and length that the axes of all variables are attached to. It holds the coordinates
along the dimension where there are any, and says that it is none where there are not.
https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from namd.errors import DataError

_NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable."
_GZIP_FROM = 64
"""Arrays of as many numbers are compressed."""


def dimensions(variable: h5py.Dataset) -> tuple[str, ...]:
    """Names of the axes of a variable.

    Raises
    ------
    DataError
        If an axis has none.
    """
    if variable.is_scale:
        return (variable.name.rpartition("/")[2],)
    names = []
    for number, axis in enumerate(variable.dims):
        if not len(axis):
            raise DataError(
                f"axis {number} of '{variable.name}' has no name: this is not NetCDF-4",
                where=str(variable.file.filename),
            )
        names.append(axis[0].name.rpartition("/")[2])
    return tuple(names)


def is_variable(item: h5py.Dataset | h5py.Group) -> bool:
    """Whether an entry of a file is a variable: no group, and no dimension without coordinates."""
    if not isinstance(item, h5py.Dataset):
        return False
    name = item.attrs.get("NAME", b"")
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return not (item.is_scale and text.startswith(_NO_VARIABLE))


def read_variable(variable: h5py.Dataset) -> np.ndarray:
    """Values of a variable; strings come as a ``str`` array."""
    if h5py.check_string_dtype(variable.dtype) is not None:
        return np.asarray(variable.asstr()[()], dtype=np.str_)
    return np.asarray(variable[()])


def add_dimension(group: h5py.Group, name: str, length: int) -> None:
    """Make a dimension without coordinates."""
    scale = group.create_dataset(name, shape=(length,), dtype=">f4")
    scale.make_scale(f"{_NO_VARIABLE}{length:10d}")


def add_variable(
    group: h5py.Group,
    name: str,
    values: np.ndarray,
    *,
    dimensions: Sequence[str],
    attributes: Mapping[str, Any],
) -> None:
    """Write a variable.

    Parameters
    ----------
    group
        Where its dimensions are.
    name
        If it is that of its one dimension, these are the coordinates and the dimension is made.
    values
        Numbers, or strings.
    dimensions
        One name per axis.
    attributes
        As they are to stand in the file.
    """
    values = np.asarray(values)
    is_text = values.dtype.kind in "UO"
    compressed = values.size >= _GZIP_FROM and not is_text
    variable = group.create_dataset(
        name,
        data=values.astype(object) if is_text else values,
        dtype=h5py.string_dtype() if is_text else values.dtype,
        **({"compression": "gzip", "shuffle": True} if compressed else {}),
    )
    if tuple(dimensions) == (name,):
        variable.make_scale(name)
    else:
        for axis, dimension in zip(variable.dims, dimensions, strict=True):
            axis.attach_scale(group[dimension])
    for key, value in attributes.items():
        variable.attrs[key] = value

"""HDF5 files built in memory, to be put on the disk in one atomic step."""

from collections.abc import Callable

import h5py
import numpy as np


def hdf5_image(fill: Callable[[h5py.File], None]) -> bytes:
    """Build an HDF5 file in memory and return its bytes."""
    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        return bytes(file.id.get_file_image())


def put(file: h5py.File, name: str, values: np.ndarray, *, unit: str) -> None:
    """Store one array with its ``unit`` attribute, groups of its name made as needed."""
    file.create_dataset(name, data=values).attrs["unit"] = unit

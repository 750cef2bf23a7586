"""The native dataset file, ``namd-dataset`` version 1 (ARCHITECTURE.md, "Formats").

On disk, positions, energies, the diabatic Hamiltonian and the time are float64; forces,
couplings, velocities, dipoles and amplitudes keep single precision, a relative error of 6·10⁻⁸
and far below that of the methods that make them, for half the size.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from namd.data.dataset import Dataset
from namd.errors import DataError
from namd.io.hdf5 import check_format, create_hdf5, read_array, read_attribute, write_array
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.states import StateSpace

FORMAT = "namd-dataset"
FORMAT_VERSION = 1

_DISK_DTYPES = {
    "forces": "float32",
    "interstate_coupling": "float32",
    "nonadiabatic_coupling": "float32",
    "velocities": "float32",
    "dipoles": "float32",
    "transition_dipoles": "float32",
    "amplitudes": "complex64",
    "active_state": "int8",
}


def write_dataset(dataset: Dataset, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a dataset in the native layout, atomically and compressed.

    Parameters
    ----------
    dataset
        The frames and their metadata.
    path
        File to make.
    overwrite
        Replace a file of that name.

    Raises
    ------
    ConfigError
        If the file exists and may not be replaced.
    DataError
        If it cannot be written.
    """
    with create_hdf5(path, overwrite=overwrite) as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["level_of_theory"] = dataset.level_of_theory
        file.attrs["charge"] = dataset.molecule.charge
        file.attrs["multiplicity"] = dataset.multiplicity
        file.attrs["states"] = " ".join(dataset.states.labels)
        file.attrs["title"] = dataset.title
        file.attrs["licence"] = dataset.licence
        file.attrs["provenance"] = json.dumps(dict(dataset.provenance), ensure_ascii=False)
        write_array(file, "atomic_numbers", dataset.molecule.atomic_numbers, unit="1")
        for name in dataset:
            write_array(
                file,
                name,
                dataset[name],
                unit=PROPERTIES[name].unit,
                dtype=_DISK_DTYPES.get(name),
            )


def read_native(file: h5py.File) -> Dataset:
    """Read the native layout from an open file; datasets outside the registry are ignored.

    Parameters
    ----------
    file
        Open HDF5 file whose ``format`` attribute is ``namd-dataset``.

    Returns
    -------
    Dataset
        In double precision.

    Raises
    ------
    DataError
        If the version is unknown, or something is missing, in another unit or misshapen.
    """
    check_format(file, name=FORMAT, version=FORMAT_VERSION)
    arrays = {
        name: read_array(file, name, unit=prop.unit)
        for name, prop in PROPERTIES.items()
        if name in file
    }
    return Dataset(
        molecule=read_molecule(file),
        states=StateSpace(tuple(read_attribute(file, "states").split())),
        level_of_theory=read_attribute(file, "level_of_theory"),
        arrays=arrays,
        multiplicity=read_integer(file, "multiplicity", default=1),
        title=str(file.attrs.get("title", "")),
        licence=str(file.attrs.get("licence", "")),
        provenance=_read_provenance(file),
    )


def read_molecule(file: h5py.File) -> Molecule:
    """Read the molecule: dataset ``atomic_numbers`` and attribute ``charge`` (0 if absent)."""
    numbers = read_array(file, "atomic_numbers")
    if not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"'atomic_numbers' holds {numbers.dtype}, expected integers")
    return Molecule.from_numbers(
        numbers.astype(np.int64), charge=read_integer(file, "charge", default=0)
    )


def read_integer(file: h5py.File, name: str, *, default: int) -> int:
    """Read an integer attribute, ``default`` where it is absent."""
    value = file.attrs.get(name, default)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"attribute '{name}' is {value!r}, expected an integer") from error


def _read_provenance(file: h5py.File) -> dict[str, Any]:
    text = str(file.attrs.get("provenance", "{}"))
    try:
        provenance = json.loads(text)
    except json.JSONDecodeError:
        provenance = text
    return provenance if isinstance(provenance, dict) else {"note": text}

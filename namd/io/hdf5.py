"""HDF5 with atomic writes, units on every dataset and errors a user can act on.

h5py reports a damaged file by the name of the C function that stumbled over it. Here each of the
ways in which a file can be wrong (absent, empty, not HDF5, cut short, of another kind, of a later
version, a dataset missing or in another unit) is one :class:`~namd.errors.DataError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from namd.errors import DataError
from namd.io.saving import refuse_existing, save_bytes

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK_BYTES = 1 << 18


@contextmanager
def open_hdf5(path: Path | str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path
        The file.

    Yields
    ------
    h5py.File
        Open for reading; closed on leaving the block.

    Raises
    ------
    DataError
        If there is no such file, it is empty, not HDF5, truncated, or fails while it is read.
    """
    path = Path(path)
    _refuse_what_is_no_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise _damaged(path, error) from error


@contextmanager
def create_hdf5(path: Path | str, *, overwrite: bool = False) -> Iterator[h5py.File]:
    """Write an HDF5 file that appears whole or not at all.

    The content is built in memory and written as :func:`namd.io.saving.save_bytes` does. If the
    block raises, nothing is left behind and an older file of that name is untouched.

    Parameters
    ----------
    path
        The file to make; its folder is created if needed.
    overwrite
        Replace an existing file.

    Yields
    ------
    h5py.File
        Open for writing.

    Raises
    ------
    ConfigError
        If the file exists and ``overwrite`` is false.
    DataError
        If it cannot be written (disk full, …).
    """
    path = Path(path)
    if not overwrite:
        refuse_existing(path)
    # Built in memory: HDF5 crashes the process if the disk fills up under an open file.
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    save_bytes(path, image, overwrite=True)


def write_array(
    group: h5py.Group,
    name: str,
    values: np.ndarray,
    *,
    unit: str,
    dtype: str | None = None,
) -> h5py.Dataset:
    """Write one array, compressed, with its ``unit`` attribute.

    Parameters
    ----------
    group
        File or group to write into.
    name
        Name of the dataset.
    values
        Numbers, or strings (stored as variable-length UTF-8).
    unit
        Written to the ``unit`` attribute; ``"1"`` for what has none.
    dtype
        NumPy dtype on disk, that of ``values`` if left out.

    Returns
    -------
    h5py.Dataset
        The new dataset.
    """
    values = np.asarray(values)
    is_text = values.dtype.kind in "UO"
    stored = h5py.string_dtype() if is_text else np.dtype(dtype or values.dtype)
    values = values.astype(object) if is_text else values
    options: dict[str, Any] = {}
    if values.ndim and values.size and not is_text:  # filters would see pointers to the strings
        row_bytes = max(1, stored.itemsize * values.size // len(values))
        rows = min(len(values), max(1, _CHUNK_BYTES // row_bytes))
        options = {
            "chunks": (rows, *values.shape[1:]),
            "compression": "gzip",
            "shuffle": True,
            "fletcher32": True,
        }
    dataset = group.create_dataset(name, data=values, dtype=stored, **options)
    dataset.attrs["unit"] = unit
    return dataset


def read_array(group: h5py.Group, name: str, *, unit: str | None = None) -> np.ndarray:
    """Read one dataset as a NumPy array; strings come as a ``str`` array.

    Parameters
    ----------
    group
        File or group to read from.
    name
        Name of the dataset.
    unit
        If given and the dataset carries another ``unit`` attribute, that is an error.

    Returns
    -------
    numpy.ndarray
        Content in the stored precision.

    Raises
    ------
    DataError
        If the dataset is missing, is a group, or is in another unit.
    """
    file = str(group.file.filename)
    full = f"{group.name}/{name}".replace("//", "/")
    if name not in group or not isinstance(group[name], h5py.Dataset):
        inside = {key: part for key, part in group.items() if isinstance(part, h5py.Group)}
        held = [key for key, part in sorted(inside.items()) if name in part]
        hint = f"present: {', '.join(sorted(group)) or 'nothing'}"
        raise DataError(
            f"dataset '{full.lstrip('/')}' is missing",
            where=file,
            hint=f"{' and '.join(held)} have one: name one of them (--name)" if held else hint,
        )
    dataset = group[name]
    stored = dataset.attrs.get("unit")
    if unit is not None and stored is not None and str(stored) != unit:
        raise DataError(
            f"dataset '{full.lstrip('/')}' is in {stored}, expected {unit}",
            where=file,
            hint="convert the numbers, or correct the unit attribute if it is wrong",
        )
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()], dtype=np.str_)
    return np.asarray(dataset[()])


def read_attribute(group: h5py.Group, name: str) -> str:
    """Read one attribute as text.

    Raises
    ------
    DataError
        If the attribute is missing.
    """
    if name not in group.attrs:
        raise DataError(
            f"attribute '{name}' is missing",
            where=str(group.file.filename),
            hint=f"present: {', '.join(sorted(group.attrs)) or 'none'}",
        )
    value = group.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


def check_format(file: h5py.File, *, name: str, version: int) -> int:
    """Refuse a file of another kind, or one written by a later version of namd.

    Parameters
    ----------
    file
        Open file with the root attributes ``format`` and ``format_version``.
    name
        The kind that is expected, e.g. ``"namd-dataset"``.
    version
        The latest version this code can read.

    Returns
    -------
    int
        The version of the file.

    Raises
    ------
    DataError
        If the kind differs or the version is unknown.
    """
    where = str(file.filename)
    kind = read_attribute(file, "format")
    if kind != name:
        raise DataError(
            f"this is a {kind} file, expected a {name} file",
            where=where,
            hint="runs make ensembles, `namd data convert` makes datasets: check the path",
        )
    found = read_attribute(file, "format_version")
    if not found.isdecimal() or not 1 <= int(found) <= version:
        raise DataError(
            f"{name} version {found} is unknown; this namd reads 1 to {version}",
            where=where,
            hint="install a newer namd, or convert the file with the one that wrote it",
        )
    return int(found)


def _refuse_what_is_no_hdf5(path: Path) -> None:
    if not path.is_file():
        kind = "this is a folder, expected an HDF5 file" if path.is_dir() else "no such file"
        raise DataError(kind, where=str(path), hint="check the path")
    try:
        with path.open("rb") as stream:
            head = stream.read(len(HDF5_SIGNATURE))
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    if not head:
        raise DataError("the file is empty", where=str(path), hint="was its copy interrupted?")
    if head != HDF5_SIGNATURE:
        raise DataError(
            "this is not an HDF5 file",
            where=str(path),
            hint="convert other formats with `namd data convert IN OUT`",
        )


def _damaged(path: Path, error: OSError) -> DataError:
    if "truncated" in str(error):
        return DataError(
            f"the HDF5 file is truncated: {path.stat().st_size} bytes are left of it",
            where=str(path),
            hint="copy or download it again",
        )
    return DataError(
        f"the HDF5 file is damaged or in use by a writer: {error}",
        where=str(path),
        hint="copy it again, or wait until its writer has closed it",
    )

"""Results that a command writes: never unasked over what is there, whole, with clear errors."""

from pathlib import Path

from namd.errors import ConfigError, DataError
from namd.io.atomic import write_bytes


def save_bytes(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a whole file of any format, atomically, with an error a user can act on.

    Parameters
    ----------
    path
        The file to make; its folder is created if needed.
    data
        Its content.
    overwrite
        Replace an existing file.

    Raises
    ------
    ConfigError
        If the file exists and ``overwrite`` is false.
    DataError
        If it cannot be written (disk full, …).
    """
    if not overwrite:
        refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as error:
        raise DataError(
            f"the file could not be written: {error.strerror}",
            where=str(path),
            hint="is the folder writable and the disk not full?",
        ) from error


def refuse_existing(path: Path) -> None:
    """Refuse to write where a file or folder already is.

    Raises
    ------
    ConfigError
        If ``path`` exists.
    """
    if path.exists():
        raise ConfigError(
            "the file exists and is not overwritten",
            where=str(path),
            hint="choose another name, or ask for it to be replaced with --force",
        )

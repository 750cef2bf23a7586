"""Files that appear whole or not at all.

The bytes go to a temporary file in the same folder, are flushed to the disk and take their final
name in one step (``os.replace``); a kill or a full disk at any moment leaves the old file, or none.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the name ``path``, atomically and durably, at the end.

    If the block raises, nothing is left behind and an older file of that name is untouched.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_file_mask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` as :func:`replacing` does."""
    with replacing(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 ``text`` as :func:`write_bytes` does."""
    write_bytes(path, text.encode())


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed while it wrote into ``folder``.

    Only for a folder that no other process writes into.
    """
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def _file_mask() -> int:
    """Read the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

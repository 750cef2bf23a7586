"""Join the header and the blocks of a run into one ensemble file.

Used once when a run is complete, and on the fly to look at one that still runs or was killed.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from namd.errors import DataError
from namd.io.atomic import replacing
from namd.io.hdf5 import open_hdf5
from namd.io.hdf5_image import hdf5_image
from namd.io.run_folder import RunFolder

SNAPSHOT = "snapshot.h5"
_CHUNK_BYTES = 1 << 18


def has_parts(path: Path) -> bool:
    """Whether ``path`` is the folder of a run that has saved frames but is not complete."""
    folder = RunFolder(path)
    return folder.start.is_file() and bool(folder.part_numbers())


def snapshot(path: Path) -> Path:
    """Join what a running or killed run has saved so far.

    Returns
    -------
    ``parts/snapshot.h5`` in the run folder or, where that cannot be written, a file among the
    temporary ones; replaced at every call.

    Raises
    ------
    DataError
        If a block is damaged or the snapshot cannot be written.
    """
    folder = RunFolder(path)
    elsewhere = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    targets = (folder.parts / SNAPSHOT, Path(tempfile.gettempdir()) / f"namd-{elsewhere}.h5")
    for target in targets:
        try:
            assemble(folder, target)
        except OSError as error:
            reason = error
        else:
            return target
    raise DataError(
        f"what the run has saved so far cannot be joined: {reason.strerror}",
        where=str(path),
        hint="make room in the run folder or in that for temporary files",
    ) from reason


def assemble(folder: RunFolder, target: Path) -> None:
    """Write header and blocks of ``folder`` as one ensemble file, atomically.

    Raises
    ------
    DataError
        If a block is missing or damaged; ``target`` is untouched then.
    OSError
        If the disk is full; ``target`` is untouched then.
    """
    numbers = folder.part_numbers()
    if numbers != list(range(len(numbers))):
        missing = next(k for k, number in enumerate([*numbers, -1]) if k != number)
        raise DataError("a block of the run is missing", where=str(folder.part(missing)))
    parts = [folder.part(number) for number in numbers]
    with _reserved_hdf5(target, room=_room_for([folder.start, *parts])) as joined:
        with open_hdf5(folder.start) as start:
            for name, value in start.attrs.items():
                joined.attrs[name] = value
            for name in start:
                start.copy(name, joined)
        lengths = [_lengths(part) for part in parts]
        with open_hdf5(parts[0]) as first:
            for group in ("frames", "hops"):
                total = sum(length[group] for length in lengths)
                for name, dataset in first[group].items():
                    _create(joined, f"{group}/{name}", dataset, total)
        offsets = {"frames": 0, "hops": 0}
        for part, length in zip(parts, lengths, strict=True):
            with open_hdf5(part) as file:
                for group, offset in offsets.items():
                    for name, dataset in file[group].items():
                        joined[group][name][offset : offset + length[group]] = dataset[()]
            offsets = {group: offset + length[group] for group, offset in offsets.items()}
        with open_hdf5(parts[-1]) as last:
            for group in ("final", "parked"):
                if group in last:
                    last.copy(group, joined)


def check_parts(folder: RunFolder, digests: Sequence[str]) -> None:
    """Refuse to go on from blocks that are not, byte for byte, those a checkpoint speaks of.

    Raises
    ------
    DataError
        Naming the first block that is missing or altered.
    """
    for number, digest in enumerate(digests):
        path = folder.part(number)
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(
                f"the block cannot be read: {error.strerror}", where=str(path)
            ) from error
        if found != digest:
            raise DataError("the block was altered or cut short", where=str(path))


def discard_parts(folder: RunFolder, *, keep: int) -> None:
    """Remove blocks after the first ``keep``: written, but not yet told of by a checkpoint."""
    for number in folder.part_numbers():
        if number >= keep:
            folder.part(number).unlink()


@contextmanager
def _reserved_hdf5(path: Path, *, room: int) -> Iterator[h5py.File]:
    """Write an HDF5 file atomically into room set aside before.

    HDF5 crashes the process if the disk fills up under an open file; taking the room first turns
    that into an ordinary error, and what is left over goes back when the file is closed.
    """
    with replacing(path) as stream:
        stream.write(hdf5_image(lambda _: None))  # HDF5 will not start in a file of zeros
        stream.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, room)
        with h5py.File(stream, "r+") as file:
            yield file


def _room_for(files: Sequence[Path]) -> int:
    """Bytes enough for the content of ``files`` even where it does not compress."""
    return int(1.05 * sum(file.stat().st_size for file in files)) + (1 << 20)


def _lengths(part: Path) -> dict[str, int]:
    with open_hdf5(part) as file:
        return {"frames": len(file["frames/step"]), "hops": len(file["hops/step"])}


def _create(joined: h5py.File, name: str, model: h5py.Dataset, total: int) -> None:
    row_bytes = max(1, model.dtype.itemsize * int(np.prod(model.shape[1:])))
    rows = max(1, min(total, _CHUNK_BYTES // row_bytes))
    options = (
        {"chunks": (rows, *model.shape[1:]), "compression": "gzip", "shuffle": True}
        if total and model.shape[1:] != (0,)
        else {}
    )
    shape = (total, *model.shape[1:])
    dataset = joined.create_dataset(name, shape=shape, dtype=model.dtype, **options)
    dataset.attrs["unit"] = model.attrs["unit"]

"""Checkpoints: every number of every trajectory, in a file that knows whether it is whole.

A checkpoint is an HDF5 image followed by its own SHA-256, written atomically; the two latest are
kept. It also lists the digests of the blocks that belong to it, so that a resume starts from a
state and blocks that fit each other, or says why it cannot.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import h5py
import numpy as np
import torch

from namd.dynamics.batch import TrajectoryBatch, from_tensors, tensors
from namd.errors import DataError, NamdError
from namd.io.atomic import write_bytes
from namd.io.ensemble_parts import check_parts, discard_parts
from namd.io.hdf5_image import hdf5_image
from namd.io.run_folder import RunFolder

_DIGEST_BYTES = hashlib.sha256().digest_size
_KEPT = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """A run between two blocks.

    Parameters
    ----------
    batch
        All trajectories; some may be ahead of the last saved frame.
    step
        Steps of the last saved frame.
    hops
        Accepted hops so far.
    digests
        SHA-256 of each block written so far.
    hops_ahead
        Columns of the hops that belong to later blocks.
    goes_on
        Whether a frame is still to come after the last saved one.
    remembered
        What the potential remembers of each trajectory.
    """

    batch: TrajectoryBatch
    step: int
    hops: int
    digests: tuple[str, ...]
    hops_ahead: Mapping[str, np.ndarray] = field(default_factory=dict)
    goes_on: bool = True
    remembered: Mapping[int, bytes] = field(default_factory=dict)


def save_checkpoint(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Write the state after the latest block, then remove all but the two latest.

    Raises
    ------
    OSError
        If the disk is full; the earlier checkpoints are untouched then.
    """

    def fill(file: h5py.File) -> None:
        file.attrs["format"] = "namd-checkpoint"
        file.attrs["step"] = checkpoint.step
        file.attrs["hops"] = checkpoint.hops
        file.attrs["goes_on"] = checkpoint.goes_on
        file["digests"] = np.array(checkpoint.digests, dtype="S64")
        for name, value in tensors(checkpoint.batch).items():
            file[f"batch/{name}"] = value.cpu().numpy()
        for name, column in checkpoint.hops_ahead.items():
            file[f"hops_ahead/{name}"] = column
        for trajectory, data in checkpoint.remembered.items():
            file[f"remembered/{trajectory}"] = np.frombuffer(data, dtype=np.uint8)

    image = hdf5_image(fill)
    number = len(checkpoint.digests) - 1
    write_bytes(folder.checkpoint(number), image + hashlib.sha256(image).digest())
    for old in folder.checkpoint_numbers():
        if old <= number - _KEPT:
            folder.checkpoint(old).unlink(missing_ok=True)


def resume_checkpoint(folder: RunFolder, *, device: torch.device | str) -> Checkpoint | None:
    """Find the latest checkpoint that is whole and whose blocks are, and drop what came after it.

    Returns
    -------
    The checkpoint, or ``None`` if the run was stopped before its first one: it then starts afresh
    from the same initial conditions.

    Raises
    ------
    DataError
        If there are checkpoints but none can be used; the message says why of each.
    """
    reasons = []
    for number in reversed(folder.checkpoint_numbers()):
        path = folder.checkpoint(number)
        try:
            found = _read(path.read_bytes(), where=str(path), device=device)
            check_parts(folder, found.digests)
        except (NamdError, OSError) as error:
            reasons.append(str(error))  # the same damaged block may spoil both
            continue
        discard_parts(folder, keep=len(found.digests))
        for later in folder.checkpoint_numbers():
            if later > number:
                folder.checkpoint(later).unlink()
        return found
    if reasons:
        raise DataError(
            f"no checkpoint can be used: {'; '.join(dict.fromkeys(reasons))}",
            where=str(folder.path),
            hint="bring the damaged file back, or start the run again in another folder",
        )
    discard_parts(folder, keep=0)
    return None


def _read(data: bytes, *, where: str, device: torch.device | str) -> Checkpoint:
    image, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(image).digest() != digest:
        raise DataError("the checkpoint was altered or cut short", where=where)
    with h5py.File(io.BytesIO(image), "r") as file:
        stored = set(file["batch"]) - {"memory"}
        expected = {entry.name for entry in fields(TrajectoryBatch)} - {"memory"}
        if stored != expected:
            raise DataError(
                f"the checkpoint was written by another version of namd: "
                f"{', '.join(sorted(stored ^ expected))} differ",
                where=where,
            )
        names = stored | {f"memory/{name}" for name in file.get("batch/memory", ())}
        batch = from_tensors(
            {name: torch.from_numpy(file["batch"][name][()]).to(device) for name in names}
        )
        return Checkpoint(
            batch=batch,
            step=int(file.attrs["step"]),
            hops=int(file.attrs["hops"]),
            digests=tuple(digest.decode() for digest in file["digests"][()]),
            goes_on=bool(file.attrs["goes_on"]),
            hops_ahead={name: column[()] for name, column in file.get("hops_ahead", {}).items()},
            remembered={
                int(name): data[()].tobytes() for name, data in file.get("remembered", {}).items()
            },
        )

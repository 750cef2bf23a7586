"""Training checkpoints: whole or not at all, the last two kept, loaded without pickled code."""

import hashlib
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from namd.errors import DataError
from namd.io.atomic import write_bytes

CURRENT = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
_DIGEST_BYTES = 32

ProgressT = TypeVar("ProgressT")


def save_checkpoint(
    folder: Path,
    *,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Any,
) -> None:
    """Write weights, moving average, optimiser state and progress, with a digest in front."""
    buffer = io.BytesIO()
    # asdict would copy deep; the tensors of best_weights are written at once anyway.
    torch.save(
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "optimiser": optimiser.state_dict(),
            "progress": asdict(progress),
        },
        buffer,
    )
    content = buffer.getvalue()
    current = folder / CURRENT
    if _verified(current) is not None:  # a damaged one must not push out the good one before it
        current.replace(folder / PREVIOUS)
    write_bytes(current, hashlib.sha256(content).digest() + content)


def load_checkpoint(
    folder: Path,
    *,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress_class: type[ProgressT],
) -> ProgressT:
    """Restore the last good checkpoint of a folder.

    Raises
    ------
    DataError
        If neither of the two kept ones is whole.
    """
    for name in (CURRENT, PREVIOUS):
        content = _verified(folder / name)
        if content is None:
            continue
        state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        return progress_class(**state["progress"])
    raise DataError(
        f"neither {CURRENT} nor {PREVIOUS} is whole: they were cut short or altered",
        where=str(folder),
        hint="start again without --resume, into another folder",
    )


def has_checkpoint(folder: Path) -> bool:
    """Whether a first checkpoint was ever written; whether it is whole is seen on loading."""
    return any((folder / name).exists() for name in (CURRENT, PREVIOUS))


def _verified(path: Path) -> bytes | None:
    """Content of a checkpoint whose digest fits, else None."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None

"""The folder of a labelling under way: every finished frame is one file, whole or absent.

::

    job.json            what is labelled, and how
    labels/000123.npz   label of frame 123: its arrays, seconds and notes
    failed/000123.json  why frame 123 has none
    guess/000123.npz    what the next frame of the chain starts from
    scratch/            of the programs that are running
    verification/       the same for displaced geometries, where labels are verified

A guess is written before its label, and goes when the label after it is there: whenever the process
is killed, the frame to go on with finds what it would have found.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from namd.errors import DataError
from namd.io.atomic import remove_leftovers, write_bytes, write_text
from namd.qm.guess_file import pack_guess, unpack_guess
from namd.qm.protocol import Guess, Label

_RECORD = "record"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledFrame:
    """What came of one frame.

    Parameters
    ----------
    arrays
        Of the label; empty for a failure.
    seconds
        It took.
    notes
        Of the label.
    reason
        Why there is no label; ``None`` where there is one.
    """

    arrays: Mapping[str, np.ndarray]
    seconds: float
    notes: Mapping[str, str]
    reason: str | None = None


@dataclass(frozen=True)
class LabelFolder:
    """Names inside the folder, and what is read and written there.

    Parameters
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def job(self) -> Path:
        """What is labelled, and how."""
        return self.path / "job.json"

    @property
    def scratch(self) -> Path:
        """Where programs compute."""
        return self.path / "scratch"

    @property
    def verification(self) -> "LabelFolder":
        """Labels of displaced geometries."""
        return LabelFolder(self.path / "verification")

    def prepare(self) -> None:
        """Make the folders, and remove what a killed process has left of unfinished files."""
        for name in ("labels", "failed", "guess"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.path / name)
        remove_leftovers(self.path)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def write_job(self, job: Mapping[str, Any]) -> None:
        """Store what is labelled."""
        write_text(self.job, json.dumps(job, indent=2, ensure_ascii=False) + "\n")

    def read_job(self) -> dict[str, Any]:
        """Read what is labelled.

        Raises
        ------
        DataError
            If that was never written, or is damaged.
        """
        try:
            job: dict[str, Any] = json.loads(self.job.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"this is no labelling that could be resumed: {error}",
                where=str(self.path),
                hint="remove the folder and start without --resume",
            ) from error
        return job

    def finished(self) -> tuple[set[int], set[int]]:
        """Frames with a label, and frames that failed."""
        return _numbers(self.path / "labels"), _numbers(self.path / "failed")

    def is_finished(self, frame: int) -> bool:
        """Whether a frame needs no work any more."""
        return self._label(frame).exists() or self._failure(frame).exists()

    def write_label(self, frame: int, label: Label, *, seconds: float, guess: Guess | None) -> None:
        """Store a label and, first, the guess for the frame after it.

        Raises
        ------
        OSError
            If the disk is full or the folder cannot be written.
        """
        if guess is not None:
            write_bytes(self._guess(frame), pack_guess(guess))
        record = json.dumps({"seconds": seconds, "notes": dict(label.notes)})
        stream = io.BytesIO()
        arrays: dict[str, Any] = {_RECORD: np.array(record), **label.arrays()}
        np.savez(stream, allow_pickle=False, **arrays)
        write_bytes(self._label(frame), stream.getvalue())

    def write_failure(self, frame: int, reason: str, *, seconds: float) -> None:
        """Store why a frame has no label."""
        record = {"reason": reason, "seconds": seconds}
        write_text(self._failure(frame), json.dumps(record, ensure_ascii=False) + "\n")

    def read(self, frame: int) -> LabelledFrame:
        """What came of a finished frame.

        Raises
        ------
        DataError
            If the file is damaged, or the labelling has ended meanwhile and taken its folder along.
        """
        failure = self._failure(frame)
        try:
            if failure.exists():
                record = json.loads(failure.read_text(encoding="utf-8"))
                return LabelledFrame(arrays={}, notes={}, **record)
            data = io.BytesIO(self._label(frame).read_bytes())
            with np.load(data, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            record = json.loads(str(arrays.pop(_RECORD)))
            return LabelledFrame(arrays=arrays, **record)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            if not self.path.exists():
                raise DataError(
                    "the labelling has ended while it was read, and its folder is gone",
                    where=str(self.path),
                    hint="use the dataset that it wrote",
                ) from error
            raise DataError(
                f"the label of frame {frame} is damaged: {error}",
                where=str(self._label(frame)),
                hint="remove that file and go on with --resume",
            ) from error

    def read_guess(self, frame: int) -> Guess | None:
        """Guess that a frame left for the one after it, if it left one."""
        path = self._guess(frame)
        known = path.exists() and self._label(frame).exists()
        return unpack_guess(path.read_bytes()) if known else None

    def drop_guess(self, frame: int) -> None:
        """Remove a guess that nobody needs any more."""
        self._guess(frame).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _label(self, frame: int) -> Path:
        return self.path / "labels" / f"{frame:06d}.npz"

    def _failure(self, frame: int) -> Path:
        return self.path / "failed" / f"{frame:06d}.json"

    def _guess(self, frame: int) -> Path:
        return self.path / "guess" / f"{frame:06d}.npz"


def _numbers(folder: Path) -> set[int]:
    return {int(path.stem) for path in folder.glob("[0-9]*") if path.stem.isdigit()}

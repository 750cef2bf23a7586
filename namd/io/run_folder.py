"""The folder of a run: what lies in it, and that no run ever writes into another's.

::

    start.h5             what the run is and where its trajectories start; written first
    parts/000012.h5      saved frames and hops, block by block, each file whole or absent
    checkpoint-000012.h5 the trajectories after part 12; the last two are kept
    hessian.h5           minimum and Hessian of the model, where the run asked for them
    config.yaml          the resolved configuration, to read or to run again
    ensemble.h5          everything, made of start and parts when the run is complete
    labels/              of a run on a reference engine: every label, a file each
    labels.h5            the same as a dataset, made when the run is complete

``ensemble.h5`` appears last and in one step; parts and checkpoints go when it is there.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from namd.errors import ConfigError, DataError


@dataclass(frozen=True)
class RunFolder:
    """Names inside a run folder.

    Parameters
    ----------
    path
        The folder.
    """

    path: Path

    @property
    def start(self) -> Path:
        """Header and initial conditions."""
        return self.path / "start.h5"

    @property
    def config(self) -> Path:
        """Resolved configuration."""
        return self.path / "config.yaml"

    @property
    def hessian(self) -> Path:
        """Minimum and Hessian of the model."""
        return self.path / "hessian.h5"

    @property
    def ensemble(self) -> Path:
        """The complete ensemble."""
        return self.path / "ensemble.h5"

    @property
    def labels(self) -> Path:
        """Folder of the labels of a reference engine."""
        return self.path / "labels"

    @property
    def labelled(self) -> Path:
        """The same as a dataset."""
        return self.path / "labels.h5"

    @property
    def parts(self) -> Path:
        """Folder of the blocks."""
        return self.path / "parts"

    def part(self, number: int) -> Path:
        """One block."""
        return self.parts / f"{number:06d}.h5"

    def part_numbers(self) -> list[int]:
        """Blocks present, ascending."""
        return _numbers(self.parts, "[0-9]*.h5")

    def checkpoint(self, number: int) -> Path:
        """State after block ``number``."""
        return self.path / f"checkpoint-{number:06d}.h5"

    def checkpoint_numbers(self) -> list[int]:
        """Checkpoints present, ascending."""
        return _numbers(self.path, "checkpoint-[0-9]*.h5")

    def clear_progress(self) -> None:
        """Remove parts and checkpoints, which the complete ensemble has made superfluous."""
        for number in self.checkpoint_numbers():
            self.checkpoint(number).unlink(missing_ok=True)
        shutil.rmtree(self.parts, ignore_errors=True)


def default_run_folder(name: str, *, now: datetime | None = None) -> Path:
    """``runs/<name>-<date>-<time>``."""
    moment = now or datetime.now().astimezone()
    return Path("runs") / f"{name}-{moment:%Y%m%d-%H%M%S}"


def create_run_folder(path: Path) -> RunFolder:
    """Make a new folder for a run.

    Raises
    ------
    ConfigError
        If something of that name exists, or the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
    except FileExistsError as error:
        if not os.path.lexists(path):  # a file among the folders it would lie in
            raise _cannot_be_made(path, error) from None
        raise ConfigError(
            "this exists already and is never overwritten",
            where=f"--output {path}",
            hint="continue it with --resume, or choose another name",
        ) from None
    except OSError as error:
        raise _cannot_be_made(path, error) from error
    folder = RunFolder(path)
    try:
        folder.parts.mkdir()
    except OSError as error:
        path.rmdir()
        raise _cannot_be_made(path, error) from error
    return folder


def _cannot_be_made(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the folder cannot be made: {error.strerror}",
        where=f"--output {path}",
        hint="choose a place where you may write and that has room",
    )


def open_run_folder(path: Path) -> RunFolder:
    """Take up an existing run folder.

    Raises
    ------
    ConfigError
        If there is no such folder.
    DataError
        If it is not the folder of a run that has started.
    """
    if not path.is_dir():
        raise ConfigError(
            "there is no such run to resume",
            where=f"--output {path}",
            hint="give --output the folder of the run, or leave --resume out to start one",
        )
    folder = RunFolder(path)
    if not folder.start.is_file():
        raise DataError(
            "nothing can be resumed here: the run stopped before its start was written",
            where=str(path),
            hint="remove the folder, or choose another name, and start without --resume",
        )
    return folder


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Hold the run folder for this process; the lock goes with the process, however it ends.

    Raises
    ------
    ConfigError
        If another process is running in this folder.
    """
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                "another process is running in this folder",
                where=str(folder.path),
                hint="wait for it, or stop it first",
            ) from None
        yield
    finally:
        os.close(descriptor)


def _numbers(folder: Path, pattern: str) -> list[int]:
    stems = (path.stem.rpartition("-")[2] for path in folder.glob(pattern))
    return sorted(int(stem) for stem in stems if stem.isdigit())

"""A worker process: chains of frames come in through a pipe, labels go into the folder.

What it tells its master: ``Ready`` when its engine is there, ``Done`` after each frame, ``Idle``
after each chain, and an error that ends the whole labelling. A frame that cannot be
labelled is no such error; it is recorded.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import numpy as np
from jaxtyping import Float

from namd.config.engine import EngineConfig
from namd.errors import EngineError, NamdError, ResumableStop
from namd.molecule import Molecule
from namd.qm.label_folder import LabelFolder
from namd.qm.protocol import Answer, Engine, Guess, LostGuessError, check_arrays
from namd.qm.registry import make_engine


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """What every worker of a labelling is told at its start.

    Parameters
    ----------
    engine
        Section of the configuration.
    molecule
        The atoms, with their charge.
    base
        Folder of the configuration.
    folder
        Where labels go.
    """

    engine: EngineConfig
    molecule: Molecule
    base: Path
    folder: LabelFolder


@dataclass(frozen=True, eq=False)
class Chain:
    """Frames to be computed one after another.

    Parameters
    ----------
    frames
        Their numbers.
    positions
        Bohr.
    """

    frames: range
    positions: Float[np.ndarray, "frame atom 3"]


@dataclass(frozen=True)
class Ready:
    """The engine is there."""


@dataclass(frozen=True)
class Done:
    """A frame is finished."""

    frame: int
    failed: bool


@dataclass(frozen=True)
class Idle:
    """The chain is finished."""


@dataclass(frozen=True)
class Bug:
    """Something that should never happen did."""

    traceback: str


def work(connection: Connection, assignment: Assignment) -> None:
    """Label chain after chain until ``None`` comes (the body of a worker process)."""
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        _work(connection, assignment)
    except (BrokenPipeError, EOFError):
        sys.exit(1)  # the master has gone
    except NamdError as error:
        connection.send(error)
    except OSError as error:
        connection.send(
            ResumableStop(
                f"a label cannot be written: {error.strerror}",
                where=str(assignment.folder.path),
                hint="make room, then go on with --resume",
            )
        )
    except Exception:  # noqa: BLE001  (a bug of ours, which the master shall tell)
        connection.send(Bug(traceback.format_exc()))


def _work(connection: Connection, assignment: Assignment) -> None:
    engine = make_engine(
        assignment.engine,
        molecule=assignment.molecule,
        base=assignment.base,
        scratch=assignment.folder.scratch,
    )
    connection.send(Ready())
    while (chain := connection.recv()) is not None:
        guess: Guess | None = None
        for frame, positions in zip(chain.frames, chain.positions, strict=True):
            if connection.poll():
                break  # the only thing that can come now is the wish to stop
            guess = _one(connection, engine, assignment.folder, frame, positions, guess=guess)
            if frame - 1 in chain.frames:
                assignment.folder.drop_guess(frame - 1)
        else:
            assignment.folder.drop_guess(chain.frames[-1])
            connection.send(Idle())


def _one(
    connection: Connection,
    engine: Engine,
    folder: LabelFolder,
    frame: int,
    positions: Float[np.ndarray, "atom 3"],
    *,
    guess: Guess | None,
) -> Guess | None:
    """Finish one frame unless it is finished, and return the guess for the next."""
    if folder.is_finished(frame):
        return folder.read_guess(frame)
    start = time.perf_counter()
    try:
        answer = label_or_retry(engine, positions, guess=guess)
    except EngineError as error:
        folder.write_failure(frame, error.message, seconds=time.perf_counter() - start)
        connection.send(Done(frame, failed=True))
        return None
    seconds = time.perf_counter() - start
    folder.write_label(frame, answer.label, seconds=seconds, guess=answer.guess)
    connection.send(Done(frame, failed=False))
    return folder.read_guess(frame)


def label_or_retry(
    engine: Engine, positions: Float[np.ndarray, "atom 3"], *, guess: Guess | None
) -> Answer:
    """Label one geometry; where a warm start does not converge, once more from a cold one.

    Raises
    ------
    EngineError
        If it cannot be labelled.
    """
    info = engine.describe()
    try:
        answer = engine.label(positions, guess=guess)
        check_arrays(answer.label.arrays(), info, atoms=len(positions))
    except EngineError as error:
        if guess is None or isinstance(error, LostGuessError):
            raise
        answer = engine.label(positions, guess=None)
        check_arrays(answer.label.arrays(), info, atoms=len(positions))
    return answer


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End with all ``finally`` blocks, which remove scratch folders and end programs."""
    sys.exit(1)


def _leave_with_parent() -> None:
    """Wait for the end of the master, however it comes, and end then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

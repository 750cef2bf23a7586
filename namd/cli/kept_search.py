"""What an engine computes on the way of a search: kept, gone on with, told of."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from namd.cli import console
from namd.errors import EngineError, Interrupted, PhysicsError

if TYPE_CHECKING:
    from namd.sampling.kept_searches import KeptSearches

_Command = TypeVar("_Command", bound=Callable[..., Any])


def resume_option(command: _Command) -> _Command:
    """``--resume``."""
    return click.option(
        "--resume",
        is_flag=True,
        help="Go on with what an engine was stopped at; its labels end in OUTPUT.labels.h5.",
    )(command)


@contextmanager
def kept_searches(
    output: Path, *, resume: bool, force: bool, group: str | None = None
) -> "Iterator[KeptSearches]":
    """Keep the labels of a search; at its end they are a dataset beside its output.

    Parameters
    ----------
    output
        File that the command writes.
    resume, force
        Options of the command.
    group
        Of all labels; of each start one if left out.

    Raises
    ------
    Interrupted
        On Ctrl-C, where something is kept.
    """
    from namd.sampling.kept_searches import KeptSearches

    keep, finished = KeptSearches(output, resume=resume, overwrite=force, group=group), False
    try:
        yield keep
        finished = True
    except KeyboardInterrupt:
        if not keep.begun:
            raise
        raise Interrupted(
            "every label that was finished is kept",
            where=str(keep.folder),
            hint="the same command with --resume goes on",
        ) from None
    except (PhysicsError, EngineError):
        if keep.begun and (found := keep.write()) is not None:
            console.note(f"{len(found)} labels are kept: {keep.labels}; --resume goes on with them")
        raise
    finally:
        keep.close(finished=finished)


def tell_labels(keep: "KeptSearches", leave_out: Collection[int] = ()) -> None:
    """Write the labels of a search that has ended, and say where they are.

    Parameters
    ----------
    keep
        What was kept; nothing is done where no engine was asked.
    leave_out
        Starts of which the search is on another solution than a computation from cold.
    """
    if keep.begun and (found := keep.write(leave_out)) is not None:
        which = "all" if not leave_out else "without searches on another solution"
        console.note(f"{len(found)} labelled geometries, {which}: {keep.labels}")

"""What an engine computes on the way of a search: kept, gone on with, told of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from namd.cli import console
from namd.errors import Interrupted, NamdError

if TYPE_CHECKING:
    from namd.sampling.kept_searches import KeptSearches

_Command = TypeVar("_Command", bound=Callable[..., Any])


def resume_option(command: _Command) -> _Command:
    """``--resume``."""
    return click.option("--resume", is_flag=True, help="Go on with what an engine was stopped at.")(
        command
    )


@contextmanager
def kept_searches(output: Path, *, resume: bool, force: bool) -> "Iterator[KeptSearches]":
    """Keep the labels of a search; at its end they are a dataset beside its output.

    Parameters
    ----------
    output
        File that the command writes.
    resume, force
        Options of the command.

    Raises
    ------
    Interrupted
        On Ctrl-C, where something is kept.
    """
    from namd.sampling.kept_searches import KeptSearches

    keep = KeptSearches(output, resume=resume, overwrite=force)
    try:
        yield keep
    except KeyboardInterrupt:
        if not keep.begun:
            raise
        raise Interrupted(
            "every label that was finished is kept",
            where=str(keep.folder),
            hint="the same command with --resume goes on",
        ) from None
    except NamdError:
        if keep.begun:
            console.note(f"labels so far are kept in {keep.folder}: --resume goes on with them")
        raise
    dataset = keep.finish()
    if dataset is not None:
        console.note(f"all {len(dataset)} geometries that were labelled: {keep.labels}")

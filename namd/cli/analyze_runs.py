"""The runs that a command of ``namd analyze`` works on, read as one ensemble."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from namd.io.ensemble import Ensemble


def runs_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``RUN…`` as ``runs``."""
    kind = click.Path(path_type=Path)
    return click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=kind)(function)


def read_runs(runs: Sequence[Path]) -> "Ensemble":
    """Read one run, or several of one molecule and method as one.

    Raises
    ------
    DataError
        If one cannot be read, or they are not of a kind.
    """
    from namd.io.ensemble import read_ensemble

    if len(runs) == 1:
        return read_ensemble(runs[0])
    from namd.analysis.joined import join

    return join([read_ensemble(run) for run in runs])

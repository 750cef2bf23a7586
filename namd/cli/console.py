"""The only place that prints: results to stdout, talk to stderr, errors as people read them.

An error is four things in two lines: title, where, what was expected, what to do::

    Config error  trajectories/stilbene-cis.yaml  dynamics.decoherence = "ecd"
      expected one of: none, edc.  Did you mean "edc"?

A bug of ours is one line; its traceback goes to ``namd-error.log``, never to the screen.
"""

import json
import os
import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd import __version__
from namd.errors import ConfigError, Interrupted, NamdError, ResumableStop

if TYPE_CHECKING:
    from rich.progress import Progress

ERROR_LOG = "namd-error.log"


def result(text: str = "") -> None:
    """Print a line of the result to stdout.

    If its reader has gone (``namd … | head``) the rest is thrown away: what the command does goes
    on, and is not a failure.

    Raises
    ------
    ConfigError
        If stdout is a file that cannot be written.
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        _silence_stdout()
    except OSError as error:
        _silence_stdout()
        raise ConfigError(
            f"the result cannot be written: {error.strerror}",
            where="standard output",
            hint="make room, or send it elsewhere",
        ) from error


def _silence_stdout() -> None:
    """Throw away what is still to be printed, so that no later flush fails on it again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def result_json(value: Any) -> None:
    """Print a result to stdout as strictly valid JSON.

    Raises
    ------
    ValueError
        If a number is infinite or not a number, for which JSON has no word; give ``None``.
    """
    result(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def note(text: str) -> None:
    """Tell the user something on stderr that is not part of the result."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """Tell the user on stderr about something that deserves a look."""
    click.echo(f"{click.style('Warning', fg='yellow', bold=True)}  {text}", err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a result table to stdout: first column to the left, numbers to the right.

    Parameters
    ----------
    headings
        One per column.
    rows
        Cells as they shall appear; as many per row as there are headings.
    title
        A line above the table.
    """
    rows = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(w) for cell, w in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join(padded).rstrip()

    if title:
        result(click.style(title, bold=True))
    result(line(headings))
    result("─" * (sum(widths) + 2 * (len(widths) - 1)))
    for row in rows:
        result(line(row))


def progress(*columns: Any) -> "Progress":
    """Make a progress display on stderr that shows only on a terminal (a context manager).

    Parameters
    ----------
    columns
        :mod:`rich.progress` columns; description, bar, count, elapsed and remaining time if none.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    chosen = columns or (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*chosen, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def resumable(*command: str) -> Iterator[None]:
    """Give a stop inside the block the command that goes on, ready to be pasted.

    Parameters
    ----------
    command
        Words after ``namd``, without ``--resume``.
    """
    try:
        yield
    except (Interrupted, ResumableStop) as stop:
        stop.hint = f"{stop.hint}:\n  {shlex.join(('namd', *command, '--resume'))}"
        raise


def show_error(error: NamdError) -> None:
    """Print one of our errors to stderr: title and place, then the message and the remedy."""
    title = click.style(error.title, fg="red", bold=True)
    click.echo("  ".join(filter(None, (title, error.where))), err=True)
    message = error.message.rstrip(".")
    hint = f"{error.hint[:1].upper()}{error.hint[1:]}" if error.hint else ""
    stop = "" if message.endswith(("?", "!")) else "."
    click.echo(f"  {message}{stop}  {hint}" if hint else f"  {message}", err=True)


def show_crash(error: Exception) -> None:
    """Print one line about a bug of ours and put the traceback into a log file."""
    log = _write_log(error)
    place = f"the traceback is in {log}" if log else "no place could be found for the traceback"
    title = click.style("Internal error", fg="red", bold=True)
    what = " ".join(str(error).split()) or "no message"
    if len(what) > 200:
        what = what[:200] + " …"
    click.echo(f"{title}  {type(error).__name__}: {what}  (a bug of ours; {place})", err=True)


def _write_log(error: Exception) -> Path | None:
    """Write the traceback beside the user, else into the temporary folder."""
    text = (
        f"{datetime.now().astimezone().isoformat(timespec='seconds')}\n"
        f"namd {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{shlex.join(sys.argv)}\n\n{''.join(traceback.format_exception(error))}"
    )
    try:
        path = Path(ERROR_LOG)
        path.write_text(text, encoding="utf-8")
    except OSError:
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="namd-error-", suffix=".log", delete=False, encoding="utf-8"
            ) as stream:
                stream.write(text)
        except OSError:
            return None
        return Path(stream.name)
    return path

"""Progress of a labelling: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from namd.cli import console
from namd.qm.labelling import Progress

LINE_EVERY_S = 30.0


@contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
    """Give the function that shows where a labelling stands; on stderr."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.progress import BarColumn, TextColumn

    columns = (BarColumn(), TextColumn("{task.percentage:3.0f} %  {task.description}"))
    with console.progress(*columns) as bar:
        task = bar.add_task("starting", total=None)

        def report(now: Progress) -> None:
            done = now.labelled + now.failed
            bar.update(task, total=now.total, completed=done, description=describe(now))

        yield report


def describe(now: Progress) -> str:
    """Frames, failures, rate and time left, in words.

    Examples
    --------
    >>> describe(Progress(labelled=29, failed=1, total=90, made=20, elapsed=40.0))
    '30 of 90 frames, 1 failed, 30 a minute, 2 min left'
    """
    done = now.labelled + now.failed
    words = [f"{done} of {now.total} frames"]
    words += [f"{now.failed} failed"] if now.failed else []
    if now.made and now.elapsed > 0:
        rate = now.made / now.elapsed
        words += [f"{60 * rate:.3g} a minute", f"{_duration((now.total - done) / rate)} left"]
    return ", ".join(words)


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def report(now: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            console.note(describe(now))

    return report


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"

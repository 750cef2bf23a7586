"""Progress of a run: a bar on a terminal, elsewhere a line every ten seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from namd.cli import console
from namd.dynamics.ensemble_loop import Progress

LINE_EVERY_S = 10.0


@contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
    """Give the function that shows where a run stands; on stderr."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %  {task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with console.progress(*columns) as bar:
        task = bar.add_task("starting", total=None)

        def report(now: Progress) -> None:
            bar.update(task, total=now.steps, completed=now.step, description=_describe(now))

        yield report


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()
    first: list[Progress] = []

    def report(now: Progress) -> None:
        nonlocal last
        first[:] = first or [now]
        if time.monotonic() - last < LINE_EVERY_S:
            return
        last = time.monotonic()
        left = _seconds_left(first[0], now)
        remaining = f", at most {left:.0f} s left" if left is not None else ""
        console.note(f"step {now.step} of {now.steps}: {_describe(now)}{remaining}")

    return report


def _describe(now: Progress) -> str:
    speed = now.trajectory_steps / now.elapsed if now.elapsed > 0 else 0.0
    return (
        f"active {now.active}, finished {now.finished}, parked {now.parked}, hops {now.hops}, "
        f"{speed:.0f} steps/s"
    )


def _seconds_left(first: Progress, now: Progress) -> float | None:
    made = now.step - first.step
    if made <= 0:
        return None
    return (now.elapsed - first.elapsed) * (now.steps - now.step) / made

"""Seconds a training takes, kept through kills: processor and wall time of the steps alone.

Processor time is what compares networks on a machine that others use, too. Validation, checkpoints
and compilation are not counted.
"""

import json
import time
from pathlib import Path

from namd.io.atomic import write_text
from namd.train.log import EpochReport


class Clock:
    """Sums the time from the end of one epoch to the last step of the next.

    Parameters
    ----------
    path
        JSON file that holds the sums after every epoch; read again when a training goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sums = {"epochs": 0, "cpu_seconds": 0.0, "wall_seconds": 0.0}
        if path.exists():
            self._sums = json.loads(path.read_text(encoding="utf-8"))
        self._began = self._now = _times()

    def start(self) -> None:
        """Begin to count: what came before was preparation."""
        self._began = _times()

    def advance(self, _frames: int) -> None:
        """After every step."""
        self._now = _times()

    def report(self, _row: EpochReport) -> None:
        """After every epoch and its checkpoint."""
        cpu, wall = (now - began for now, began in zip(self._now, self._began, strict=True))
        self._sums["cpu_seconds"] += cpu
        self._sums["wall_seconds"] += wall
        self._sums["epochs"] += 1
        write_text(self._path, json.dumps(self._sums) + "\n")
        self._began = _times()

    def seconds(self, *, epochs: int) -> dict[str, float]:
        """Time of ``epochs`` epochs; those lost to a kill count as the mean of the others."""
        share = epochs / self._sums["epochs"]
        return {name: self._sums[name] * share for name in ("cpu_seconds", "wall_seconds")}


def _times() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()

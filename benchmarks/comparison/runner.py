"""Several trainings at a time, each a process of one thread; the first of the queue comes first.

Two runners may work on one folder, on one machine or on several that share it: what another
process is at is passed over, and looked at again when nothing else is left. What is finished is
not repeated. A runner that is told to stop ends its trainings, which keep their last epoch.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from comparison.tasks import Task, busy

SCRIPT = Path(__file__).resolve().parents[1] / "accuracy.py"

Start = Callable[[Task], "subprocess.Popen[bytes]"]


@dataclass
class Runner:
    """The state of a run.

    Parameters
    ----------
    root
        Folder of the comparison.
    tasks
        In the order in which they are begun.
    workers
        Processes side by side.
    start
        Starts the process of a task.
    cost
        Seconds a task will take, by guess; scaled with what the finished ones took.
    say
        Receives a line per event.
    poll_seconds
        How often it is looked who has finished.
    """

    root: Path
    tasks: Sequence[Task]
    workers: int
    start: Start
    cost: Callable[[Task], float]
    say: Callable[[str], None] = print
    poll_seconds: float = 0.5
    running: dict[Task, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    failed: list[Task] = field(default_factory=list)
    _began: dict[Task, float] = field(default_factory=dict)
    _guessed: float = 0.0
    _taken: float = 0.0

    def run(self) -> int:
        """Work the queue off; returns how many trainings failed."""
        with _ended(self.running):
            while True:
                self._collect()
                while len(self.running) < self.workers and (task := self._next()) is not None:
                    self.running[task] = self.start(task)
                    self._began[task] = time.monotonic()
                if not self.running:
                    break
                time.sleep(self.poll_seconds)
        if elsewhere := self._open():
            self.say(f"{len(elsewhere)} trainings are in the hands of other processes")
        return len(self.failed)

    def _open(self) -> list[Task]:
        """Neither finished, nor failed, nor running here."""
        return [
            task
            for task in self.tasks
            if task not in self.running
            and task not in self.failed
            and not task.result(self.root).exists()
        ]

    def _next(self) -> Task | None:
        return next((task for task in self._open() if not busy(task.folder(self.root))), None)

    def _collect(self) -> None:
        for task, process in list(self.running.items()):
            if process.poll() is None:
                continue
            del self.running[task]
            seconds = time.monotonic() - self._began[task]
            if task.result(self.root).exists():
                self._guessed += self.cost(task)
                self._taken += seconds
                how = "diverged" if _diverged(task.result(self.root)) else "done"
                self.say(f"{_name(task)}: {how} in {_clock(seconds)}; {self._left()}")
            elif not busy(task.folder(self.root)):  # else another runner was faster
                self.failed.append(task)
                log = task.log(self.root)
                self.say(f"{_name(task)}: failed with exit code {process.returncode}, see {log}")

    def _left(self) -> str:
        remaining = [*self._open(), *self.running]
        if not remaining:
            return "nothing left"
        guess = sum(self.cost(task) for task in remaining) * self._taken / self._guessed
        return f"{len(remaining)} left, about {_clock(guess / self.workers)}"


def process_starter(
    root: Path, *, presentations: int | None, device: str, script: Path = SCRIPT
) -> Start:
    """What starts the process of a task: ``accuracy.py one`` with one thread."""

    def start(task: Task) -> "subprocess.Popen[bytes]":
        task.folder(root).parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(script), "one", task.case, task.network, str(task.seed)]
        command += ["--output", str(root), "--device", device]
        if presentations is not None:
            command += ["--presentations", str(presentations)]
        if task.learning_rate is not None:
            command += ["--learning-rate", str(task.learning_rate)]
        with task.log(root).open("ab") as log:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )

    return start


@contextmanager
def _ended(running: dict[Task, "subprocess.Popen[bytes]"]) -> Iterator[None]:
    """End what still runs when the block is left in whatever way."""
    try:
        yield
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _diverged(result: Path) -> bool:
    return "failed" in json.loads(result.read_text(encoding="utf-8"))


def _name(task: Task) -> str:
    rate = "" if task.learning_rate is None else f", learning rate {task.learning_rate:g}"
    return f"{task.case} {task.network} seed {task.seed}{rate}"


def _clock(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"

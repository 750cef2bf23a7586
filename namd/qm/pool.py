"""Worker processes: who computes which chain, and what happens if one of them dies.

Processes are started afresh (``spawn``), each with its own engine and its own few threads. One that
dies while it computes (a segmentation fault, no memory left) is replaced and its chain begun again
where it stopped; a frame that kills its process a second time is a failure with that reason.
"""

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol, runtime_checkable

from namd.errors import ConfigError, NamdError
from namd.qm.worker import Assignment, Bug, Chain, Done, Idle, Ready, work

_POLL_S = 0.2
_PATIENCE_S = 5.0
_DEATHS = 2
"""Deaths of a process that make a frame a failure."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@runtime_checkable
class StopWish(Protocol):
    """Whether somebody wants the labelling to stop."""

    def __bool__(self) -> bool:
        """Tell it."""
        ...


@dataclass(eq=False)
class _Worker:
    """One process, its pipe, and the chain it works on."""

    process: SpawnProcess
    connection: Connection
    ready: bool = False
    chain: Chain | None = None


class Pool:
    """The workers of one labelling.

    Parameters
    ----------
    assignment
        What each of them is told.
    threads
        Threads of each.
    report
        Called after each frame.
    """

    def __init__(
        self, assignment: Assignment, *, threads: int, report: Callable[[Done], None]
    ) -> None:
        self.assignment = assignment
        self.threads = threads
        self.report = report
        self.waiting: deque[Chain] = deque()
        self.workers: list[_Worker] = []
        self.deaths: Counter[int] = Counter()

    def run(self, chains: Sequence[Chain], *, workers: int, stop: StopWish) -> bool:
        """Finish all chains.

        Parameters
        ----------
        chains
            With at least one unfinished frame each.
        workers
            Processes.
        stop
            Looked at several times a second; the labels under way are finished first.

        Returns
        -------
        bool
            Whether all chains are finished; ``False`` after a wish to stop.

        Raises
        ------
        NamdError
            What a worker could not go on with, e.g. a full disk.
        """
        self.waiting.extend(chains)
        try:
            for _ in range(min(workers, len(chains))):
                self._start()
            while self.workers and not stop:
                self._turn()
            if self.workers:
                self._finish_labels_under_way()
            return not self.waiting
        finally:
            self._end()

    def _turn(self) -> None:
        """Hear every worker that has something to say, or has died."""
        speaking = wait([worker.connection for worker in self.workers], timeout=_POLL_S)
        for worker in [worker for worker in self.workers if worker.connection in speaking]:
            try:
                message = worker.connection.recv()
            except (EOFError, ConnectionError):
                self._bury(worker)
                continue
            self._hear(worker, message)

    def _hear(self, worker: _Worker, message: object) -> None:
        match message:
            case NamdError():
                raise message
            case Bug():
                raise RuntimeError(f"in a worker process:\n{message.traceback}")
            case Done():
                self.report(message)
            case Ready() | Idle():
                worker.ready = True
                worker.chain = self.waiting.popleft() if self.waiting else None
                worker.connection.send(worker.chain)
                if worker.chain is None:
                    self._dismiss(worker)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self.assignment))
        with _blocked_interrupt(), _threads_of_children(self.threads):
            process.start()
        theirs.close()  # so that the pipe ends with the worker
        self.workers.append(_Worker(process=process, connection=ours))

    def _bury(self, worker: _Worker) -> None:
        """Take note of a death; go on with the chain in a new process."""
        self._dismiss(worker)
        if not worker.ready:
            raise ConfigError(
                f"a worker process died ({_ending(worker.process)}) before it had made its engine",
                where=f"engine.name = {self.assignment.engine.name}",
                hint="does one label work in Python?",
            )
        if worker.chain is None:
            return
        folder = self.assignment.folder
        frame = next((k for k in worker.chain.frames if not folder.is_finished(k)), None)
        if frame is not None:
            self.deaths[frame] += 1
            if self.deaths[frame] >= _DEATHS:
                reason = f"the process died while computing it ({_ending(worker.process)})"
                folder.write_failure(frame, reason, seconds=0.0)
                self.report(Done(frame, failed=True))
        self.waiting.appendleft(worker.chain)
        self._start()

    def _dismiss(self, worker: _Worker) -> None:
        worker.process.join(_PATIENCE_S)
        worker.connection.close()
        self.workers.remove(worker)

    def _finish_labels_under_way(self) -> None:
        """Ask every worker to leave, and hear what it has finished."""
        for worker in self.workers:
            try:
                worker.connection.send(None)
            except OSError:
                continue  # it has died; the chain is taken up at the resumption
        for worker in self.workers:
            if worker.chain is not None:
                self.waiting.append(worker.chain)
            try:
                while True:
                    match worker.connection.recv():
                        case NamdError() as error:
                            raise error
                        case Done() as done:
                            self.report(done)
                        case Idle() if worker.chain is not None:
                            self.waiting.remove(worker.chain)
            except (EOFError, ConnectionError):
                continue  # it has left

    def _end(self) -> None:
        """Leave no process behind."""
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(_PATIENCE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self.workers.clear()


def _ending(process: SpawnProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"status {code}"


@contextmanager
def _blocked_interrupt() -> Iterator[None]:
    """Keep Ctrl-C from processes started here: it is for the master, who asks them to stop."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _threads_of_children(threads: int) -> Iterator[None]:
    """Let processes started here use so many threads, which they read once at their start."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

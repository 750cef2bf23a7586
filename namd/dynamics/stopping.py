"""Ctrl-C and SIGTERM as a polite request: the loop ends its block, writes it and leaves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from namd.errors import Interrupted, NamdError, ResumableStop

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether, and by which signal, the run was asked to stop."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def error(self, message: str, *, where: str, hint: str) -> NamdError:
        """Make the error that ends the run with the exit code of its signal."""
        kind = Interrupted if self.signal == signal.SIGINT else ResumableStop
        return kind(message, where=where, hint=hint)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; a second one acts at once.

    The previous handlers come back at the end.
    """
    request = StopRequest()
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def ask(number: int, _frame: FrameType | None) -> None:
        request.signal = number
        for each, handler in previous.items():
            signal.signal(each, handler)

    for number in _SIGNALS:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

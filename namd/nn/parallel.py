"""Slices of a batch side by side on a few threads, one thread to a slice from start to end.

PyTorch's operations and the compiled loops release Python's lock, so plain threads keep the cores
busy. The usual way, all cores inside every operation, waits at a barrier after each of thousands
of short loops: where another process holds one of the cores, the others stand still.

What a slice holds never depends on the number of threads, and so no result does.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_wanted: list[int] = []


def thread_count() -> int:
    """Threads in use: as set, else ``OMP_NUM_THREADS``, else the cores this process may use."""
    if _wanted:
        return _wanted[-1]
    told = os.environ.get("OMP_NUM_THREADS", "").strip()
    if told.isdigit() and int(told) > 0:
        return int(told)
    return core_count()


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(number: int | None = None) -> int:
    """Set the number of threads (None: as it comes), and one thread inside each operation.

    For programs, not for libraries: the second part holds for the whole process.
    """
    torch.set_num_threads(1)
    if number is not None:
        _wanted[:] = [number]
    return thread_count()


def side_by_side(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """``[function(item) for item in items]``, several at a time.

    The first exception is raised once all calls have ended. ``function`` must not call this again.
    """
    items = list(items)
    threads = thread_count()
    if threads == 1 or len(items) <= 1:
        return [function(item) for item in items]
    futures = [_pool(threads).submit(function, item) for item in items]
    wait(futures)
    return [future.result() for future in futures]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        threads, thread_name_prefix="namd", initializer=torch.set_num_threads, initargs=(1,)
    )

"""Repeated timing: several things in turns, so that what else the machine does hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, smallest and largest of repeated measurements."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value at least."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long things are timed.

    Parameters
    ----------
    repeats
        Stretches of each, in turns with those of all others.
    seconds
        Length of a stretch; a call that takes longer is a stretch of its own.
    longest
        A batch size whose single call is expected to take longer is left out, s.
    """

    repeats: int = 3
    seconds: float = 1.0
    longest: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of one call, a mean over each stretch of ``calls`` calls."""

    calls: int
    seconds: tuple[float, ...]

    @property
    def milliseconds(self) -> Spread:
        """Of one call."""
        return Spread.of([1000.0 * each for each in self.seconds])

    def rate(self, items: int) -> Spread:
        """Items per second where every call does so many."""
        return Spread.of([items / each for each in self.seconds])


def in_turns(
    actions: Mapping[str, Callable[[int], object]], plan: Plan, *, device: torch.device | str
) -> dict[str, Timing]:
    """Time several actions in turns, after a call of each that compiles and fills the caches.

    Parameters
    ----------
    actions
        By name; each makes as many calls as it is told.
    plan
        How often and how long.
    device
        Where they run; on a GPU the clock is read when it has finished.
    """
    calls = {name: _calls(action, plan, device=device) for name, action in actions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(plan.repeats):
        for name, action in actions.items():
            number = calls[name]
            seconds[name].append(seconds_of(action, calls=number, device=device) / number)
    return {name: Timing(calls=calls[name], seconds=tuple(seconds[name])) for name in actions}


def _calls(action: Callable[[int], object], plan: Plan, *, device: torch.device | str) -> int:
    """How many calls fill a stretch."""
    each = seconds_of(action, calls=1, device=device)
    if each < plan.seconds:
        each = seconds_of(action, calls=2, device=device) / 2
    return max(1, round(plan.seconds / each))


def seconds_of(action: Callable[[int], object], *, calls: int, device: torch.device | str) -> float:
    """Wall-clock seconds of some calls, until the device has done what they asked for."""
    synchronise(device)
    began = time.perf_counter()
    action(calls)
    synchronise(device)
    return time.perf_counter() - began


def synchronise(device: torch.device | str) -> None:
    """Wait for a GPU; on a CPU a call returns when it is done."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)

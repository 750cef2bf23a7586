"""Timing in turns, by a clock that only the actions move."""

from collections.abc import Callable

import pytest

from namd.benchmark import clock
from namd.benchmark.clock import Plan, Spread, Timing, in_turns


class Clock:
    """A clock that stands still unless something takes time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[tuple[str, int]] = []

    def action(self, name: str, seconds: float, *, first: float = 0.0) -> Callable[[int], None]:
        waiting = [first]

        def call(times: int) -> None:
            self.order.append((name, times))
            self.now += seconds * times + waiting.pop() if waiting else seconds * times

        return call


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock.time, "perf_counter", lambda: made.now)
    return made


def test_every_stretch_is_filled_and_all_take_turns(still: Clock) -> None:
    actions = {"fast": still.action("fast", 0.125), "slow": still.action("slow", 2.0)}
    timed = in_turns(actions, Plan(repeats=2, seconds=1.0), device="cpu")
    assert still.order[-4:] == [("fast", 8), ("slow", 1), ("fast", 8), ("slow", 1)]
    assert timed["fast"] == Timing(calls=8, seconds=(0.125, 0.125))
    assert timed["slow"].rate(16) == Spread(8.0, 8.0, 8.0)
    assert timed["slow"].milliseconds == Spread(2000.0, 2000.0, 2000.0)


def test_the_compilation_in_the_first_call_is_not_taken_for_the_length_of_a_call(
    still: Clock,
) -> None:
    timed = in_turns(
        {"compiled": still.action("compiled", 0.25, first=0.5)}, Plan(seconds=1.0), device="cpu"
    )
    assert timed["compiled"].calls == 4
    assert set(timed["compiled"].seconds) == {0.25}


def test_a_call_longer_than_a_stretch_is_not_tried_twice(still: Clock) -> None:
    in_turns({"long": still.action("long", 30.0)}, Plan(repeats=1, seconds=1.0), device="cpu")
    assert still.order == [("long", 1), ("long", 1)]


def test_a_spread_is_median_and_range() -> None:
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(median=2.0, lowest=1.0, highest=5.0)

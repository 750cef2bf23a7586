"""Warm starts that fail: once more from a cold one, unless the states themselves are lost."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from namd.errors import EngineError
from namd.qm.protocol import Answer, EngineInfo, Label, LostGuessError
from namd.qm.worker import label_or_retry
from namd.states import StateSpace

POSITIONS = np.zeros((1, 3))


@dataclass
class Moody:
    """An engine that fails in a given way when it is given a guess, or (``cold``) without."""

    warm: EngineError | None = None
    cold: EngineError | None = None
    energies: tuple[float, float] = (0.0, 1.0)
    guesses: list[Any] = field(default_factory=list)

    def describe(self) -> EngineInfo:
        return EngineInfo(
            name="moody", level_of_theory="none", states=StateSpace.singlets(2), provides=()
        )

    def label(self, positions: np.ndarray, *, guess: Any = None) -> Answer:
        self.guesses.append(guess)
        error = self.cold if guess is None else self.warm
        if error is not None:
            raise error
        return Answer(
            label=Label(energies=np.array(self.energies), forces=np.zeros((2, len(positions), 3)))
        )


def test_a_warm_start_that_fails_is_followed_by_a_cold_one() -> None:
    engine = Moody(warm=EngineError("no convergence"))
    label_or_retry(engine, POSITIONS, guess="near")
    assert engine.guesses == ["near", None]


def test_states_that_are_lost_are_not_looked_for_from_a_cold_start() -> None:
    engine = Moody(warm=LostGuessError("the active space is lost"))
    with pytest.raises(LostGuessError):
        label_or_retry(engine, POSITIONS, guess="near")
    assert engine.guesses == ["near"]


def test_a_cold_start_that_fails_is_a_failure() -> None:
    engine = Moody(cold=EngineError("no convergence"))
    with pytest.raises(EngineError, match="no convergence"):
        label_or_retry(engine, POSITIONS, guess=None)
    assert engine.guesses == [None]


def test_what_is_no_label_is_a_failure_like_any_other() -> None:
    engine = Moody(energies=(1.0, 0.0))
    with pytest.raises(EngineError, match="do not ascend"):
        label_or_retry(engine, POSITIONS, guess="near")
    assert engine.guesses == ["near", None]

"""Timers around the parts of a dynamics step, put in from outside and taken out again.

They read the clock of the host and are right on a CPU only, where a call returns when it is done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import torch

from namd.dynamics import step as step_module
from namd.dynamics.options import StepOptions
from namd.nn.base import DiabaticNetwork
from namd.potentials import network as network_module


class PartClock:
    """Seconds by part; of nested parts only the outermost runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = False

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time counted under ``name``."""
        self.seconds.setdefault(name, 0.0)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            self._inside, began = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - began
                self._inside = False

        return call

    def shares(self, *, whole: float) -> dict[str, float]:
        """Shares of ``whole`` seconds, and the rest."""
        known = {name: seconds / whole for name, seconds in self.seconds.items()}
        return {**known, "rest": 1.0 - sum(known.values())}


class _Timed:
    """A strategy one of whose methods is timed."""

    def __init__(self, clock: PartClock, name: str, strategy: Any, method: str) -> None:
        self._strategy = strategy
        setattr(self, method, clock.timed(name, getattr(strategy, method)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)


@contextmanager
def timed_parts(
    options: StepOptions, network: DiabaticNetwork
) -> Iterator[tuple[StepOptions, PartClock]]:
    """Time network, eigenproblem, electrons, hops, decoherence and guards while inside.

    Yields options whose strategies are timed (use them for the steps) and the clock. All networks
    of the class of ``network`` are timed.
    """
    clock = PartClock()
    places: list[tuple[object, str, str]] = [
        (type(network), "evaluate", "network forward"),
        (torch.autograd, "grad", "network vjp"),
        (network_module, "symmetric_eigen", "eigenproblem"),
        (step_module, "attempt_hops", "hops"),
        (step_module, "select_state", "hops"),
        (step_module, "uniform", "hops"),
    ]

    with ExitStack() as stack:
        for place, attribute, name in places:
            timed = clock.timed(name, getattr(place, attribute))
            stack.enter_context(patch.object(place, attribute, timed))
        yield (
            replace(
                options,
                electronic=_Timed(clock, "electrons", options.electronic, "propagate"),
                hopping=_Timed(clock, "hops", options.hopping, "probabilities"),
                decoherence=_Timed(clock, "decoherence", options.decoherence, "damp"),
                guards=tuple(_Timed(clock, "guards", g, "trips") for g in options.guards),
            ),
            clock,
        )

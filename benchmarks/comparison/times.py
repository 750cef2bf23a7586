"""What a presentation and a step cost, all networks in turns within one process of one thread.

Trainings run for hours, on whatever machine is at hand and beside whatever it does else: the times
they took cannot be compared. These can. Stilbene costs the same in every case that learns its
derivatives alike (``Case.timed_as``).
"""

from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import torch

from comparison.cases import CASES, ROOT, configure, evenly
from namd.benchmark.clock import Plan, in_turns
from namd.nn.parallel import use_threads
from namd.potentials.network import NetworkPotential
from namd.train import pipeline
from namd.train.batch_loss import set_gradient
from namd.train.labels import Labels

STEP_BATCH = 32
"""Molecules in a step: enough that what is done once for all of them does not count."""

Times = dict[str, dict[str, Any]]


def measure(
    plan: Plan, cases: Collection[str], *, say: Callable[[str], None] = print
) -> dict[str, Times]:
    """Time every network of these of the :func:`timed_cases`.

    Returns
    -------
    dict
        Case → network → ``training_ms`` (per frame presented: loss and its gradient in a batch of
        the case) and ``step_ms`` (per molecule in a batch of 32: energies and one force, what a
        step of surface hopping asks for), each with ``median``, ``lowest`` and ``highest``.
    """
    use_threads(1)
    return {case: _case(case, plan, say=say) for case in sorted(cases)}


def timed_cases() -> set[str]:
    """The cases whose times stand for all."""
    return {case.timed_as or name for name, case in CASES.items()}


def _case(name: str, plan: Plan, *, say: Callable[[str], None]) -> Times:
    size = CASES[name].batch_size
    actions: dict[str, Callable[[int], object]] = {}
    for network in CASES[name].networks:
        job = pipeline.prepare(configure(case=name, network=network, seed=0), base=ROOT)
        actions |= {f"{network} training": _training(job, size), f"{network} step": _step(job)}
        say(f"{name} {network}")
    timed = in_turns(actions, plan, device="cpu")

    def spread(action: str, items: int) -> dict[str, float]:
        return {key: value / items for key, value in asdict(timed[action].milliseconds).items()}

    return {
        network: {
            "training_ms": spread(f"{network} training", size),
            "step_ms": spread(f"{network} step", STEP_BATCH),
        }
        for network in CASES[name].networks
    }


def _training(job: pipeline.Job, size: int) -> Callable[[int], None]:
    """Gradients of the loss of batches, spread over the training frames."""
    device = job.model.shift.device
    batches = [
        Labels.of(job.training.select(rows), device) for rows in _batches(len(job.training), size)
    ]

    def run(calls: int) -> None:
        for step in range(calls):
            batch = batches[step % len(batches)]
            set_gradient(job.model, batch, config=job.config, late=False, step=step)

    return run


def _batches(frames: int, size: int) -> Iterator[Any]:
    rows = evenly(frames, 8 * size)
    return (rows[start::8] for start in range(8))


def _step(job: pipeline.Job) -> Callable[[int], None]:
    potential = NetworkPotential(deepcopy(job.model))  # which freezes its weights
    rows = evenly(len(job.test), STEP_BATCH)
    positions = torch.from_numpy(job.test["positions"][rows])
    active = torch.zeros(len(positions), dtype=torch.int64)

    def run(calls: int) -> None:
        for _ in range(calls):
            potential.surfaces(positions, active)

    return run

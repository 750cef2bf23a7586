"""Trajectory steps and training frames per second of a network.

*Potential*: energies of all states and the force of the active one, by the very class that a run
moves its trajectories on. *Step*: a whole step of :mod:`namd.dynamics.step` with the methods and
guards of a run of the library that has initial conditions for the molecule, without output.
Without such a run the potential is timed alone. Networks are dense over all pairs of atoms: their
time does not depend on geometry or weights. A step may: fresh weights make no real surfaces, where
trajectories try to hop more often, or less, than on trained ones, and every attempt costs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from namd.benchmark.clock import Plan, Spread, in_turns
from namd.benchmark.job import Job, find_run, make_job, march
from namd.benchmark.subject import Subject
from namd.benchmark.training import TrainingSpeed, training_speed
from namd.errors import NamdError
from namd.nn.summary import lattice

_SLICE = 16  # molecules that cost as much as one, on the CPU
_WARM_STEPS = 3
_JITTER = 0.05  # Bohr


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSpeed:
    """Molecules per second at one batch size.

    Parameters
    ----------
    batch
        Trajectories that are moved together.
    steps_per_second
        Trajectory steps per second; None where there is no run to take them from.
    step_milliseconds
        One step of the whole batch.
    potential_per_second
        Evaluations of the potential alone.
    left_out
        Why this batch size was not timed; then nothing else is known.
    """

    batch: int
    steps_per_second: Spread | None = None
    step_milliseconds: Spread | None = None
    potential_per_second: Spread | None = None
    left_out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Everything that was timed of one network.

    Parameters
    ----------
    run
        The run that whole steps were taken from; None if there is none.
    why_no_steps
        Why the potential was timed alone.
    dynamics
        By batch size, ascending.
    training
        None if it was not asked for or not possible.
    why_no_training
        What stood against it.
    """

    run: str | None
    why_no_steps: str | None
    dynamics: tuple[BatchSpeed, ...]
    training: TrainingSpeed | None
    why_no_training: str | None


def measure(
    subject: Subject,
    *,
    batches: Sequence[int],
    plan: Plan,
    device: str = "cpu",
    training: bool = True,
) -> Throughput:
    """Time a network.

    Parameters
    ----------
    subject
        The network.
    batches
        Batch sizes.
    plan
        How long each is timed.
    device
        Where it is.
    training
        Whether to time its training as well.
    """
    job, why = _job(subject, trajectories=max(batches), device=device)
    speed, why_no_training = None, subject.why_no_training
    rows = tuple(_dynamics(subject, job, batches=sorted(set(batches)), plan=plan, device=device))
    if training and subject.training is not None:
        try:
            speed = training_speed(subject.training, plan, base=subject.base)
        except NamdError as error:
            why_no_training = error.message
    return Throughput(
        run=None if job is None else job.run,
        why_no_steps=why,
        dynamics=rows,
        training=speed,
        why_no_training=why_no_training if training else "not asked for",
    )


def _job(subject: Subject, *, trajectories: int, device: str) -> tuple[Job | None, str | None]:
    """A run to take whole steps from, or why there is none."""
    potential = subject.potential
    run = find_run(potential.molecule, states=len(potential.states))
    if run is None:
        states = " ".join(potential.states.labels)
        formula = potential.molecule.formula
        remedy = "; --set data.states=2 gives a network two" if len(potential.states) == 1 else ""
        told = f"the library has no run that starts {formula} in one of the states {states}"
        return None, told + remedy
    try:
        places = [f"batch_size={trajectories}"]  # on a GPU it sets how many may hop at once
        job = make_job(
            run,
            trajectories=trajectories,
            potential=potential,
            overrides=places,
            device=device,
        )
        job.begin(trajectories=1)
    except NamdError as error:
        return None, f"run {run}: {error.message}"
    return job, None


def _dynamics(
    subject: Subject, job: Job | None, *, batches: Sequence[int], plan: Plan, device: str
) -> Iterator[BatchSpeed]:
    """Ascending batch sizes, until one would take too long."""
    each, before = 0.0, 1
    for batch in batches:
        expected = each * -(-batch // _SLICE) / -(-before // _SLICE)
        if expected > plan.longest:
            said = f"a call is expected to take {expected:.0f} s"
            yield BatchSpeed(batch=batch, left_out=said)
            continue
        actions = {"potential": potential_calls(subject, batch=batch, device=device)}
        if job is not None:
            actions["step"] = step_calls(job, batch=batch)
        timed = in_turns(actions, plan, device=device)
        step = timed.get("step")
        slowest = max(timed.values(), key=lambda timing: timing.seconds)
        each, before = slowest.milliseconds.median / 1000, batch
        yield BatchSpeed(
            batch=batch,
            steps_per_second=None if step is None else step.rate(batch),
            step_milliseconds=None if step is None else step.milliseconds,
            potential_per_second=timed["potential"].rate(batch),
        )


def potential_calls(subject: Subject, *, batch: int, device: str) -> Callable[[int], None]:
    """Energies of all states and one force of some molecules, as often as told."""
    positions = _geometries(len(subject.potential.molecule), batch).to(device)
    active = torch.full((batch,), len(subject.potential.states) - 1, device=device)

    def call(times: int) -> None:
        for _ in range(times):
            subject.potential.surfaces(positions, active)

    return call


def step_calls(job: Job, *, batch: int) -> Callable[[int], None]:
    """Whole steps of some trajectories, always from the same start, as often as told."""
    options = job.options.step
    warm = march(job.begin(trajectories=batch), job.potential, options, steps=_WARM_STEPS)

    def call(times: int) -> None:
        march(warm, job.potential, options, steps=times)

    return call


def _geometries(atoms: int, batch: int) -> Tensor:
    """Distorted lattices, Bohr."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(batch, atoms, 3, generator=generator, dtype=torch.float64)
    return lattice(atoms) + _JITTER * noise

"""Our surface hopping on Tully's models: many monoenergetic trajectories in one batch.

The particles start 15 Bohr to the left of the origin, where the coupling of every model has died
out, on the lower surface, all with the same momentum, and are counted once they are as far away on
either side. The method is whatever a configuration can ask for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import ceil, sqrt
from typing import Any

import torch

from namd.config.loading import apply_overrides, validate
from namd.config.run import RunConfig
from namd.dynamics.advance import advance
from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.from_config import run_options
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.errors import ConfigError
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.from_config import TULLY_NUMBERS
from namd.potentials.tully import MASS, tully
from namd.validation.channels import Channels
from namd.validation.tully_reference import Model

START = 15.0
"""Bohr from the origin, where trajectories begin and end."""

LONGEST_STRIDE = 0.1
"""Bohr that the fastest particle of the lower surface moves in one step."""

_NAMES = tuple(field.name for field in fields(Channels))
_PATIENCE = 10
"""A trajectory may take so many times as long as one that crosses at the incoming speed."""


@dataclass(frozen=True, kw_only=True)
class TullyOutcome:
    """Where the trajectories went.

    Parameters
    ----------
    fractions
        Of all trajectories.
    standard_errors
        √(p(1−p)/n) of each fraction.
    unfinished
        Fraction still inside when the patience was at its end, or parked by a guard.
    trajectories
        n.
    steps
        Of the longest trajectory.
    timestep
        dt, atomic units.
    decoherence
        The correction with its constants.
    """

    fractions: Channels
    standard_errors: Channels
    unfinished: float
    trajectories: int
    steps: int
    timestep: float
    decoherence: str


def run_tully(
    model: Model,
    momentum: float,
    *,
    trajectories: int,
    seed: int,
    preset: str,
    overrides: Sequence[str] = (),
) -> TullyOutcome:
    """Send trajectories over a model and count where they leave.

    Parameters
    ----------
    model, momentum
        Which of Tully's models, and the incoming momentum in atomic units.
    trajectories, seed
        How many, all in one batch, and the seed of their random numbers.
    preset
        A method of :mod:`namd.config.presets`.
    overrides
        ``key=value`` of a run configuration, e.g. ``dynamics.decoherence=edc``.

    Raises
    ------
    ConfigError
        If a number is out of range, a name unknown, or an override outside ``dynamics``.
    """
    for override in overrides:
        if not override.startswith("dynamics."):
            raise ConfigError(
                "only the dynamics can be changed here",
                where=f"--set {override}",
                hint="for example --set dynamics.frustrated=reverse",
            )
    potential = tully(TULLY_NUMBERS[model])
    data = _configuration(
        model, momentum, potential, trajectories=trajectories, seed=seed, preset=preset
    )
    config = validate(apply_overrides(data, overrides), RunConfig, where="namd validate tully")
    options = run_options(config, potential.molecule, reference=None, device="cpu")
    batch, _ = advance(
        _incoming(potential, momentum, options.step, trajectories=trajectories),
        potential,
        options.step,
        steps=options.loop.rules.max_steps,
        rules=options.loop.rules,
        batch_size=trajectories,
    )
    return _count(
        batch,
        timestep=options.step.timestep,
        decoherence=options.step.decoherence.describe(),
    )


def _configuration(
    model: Model,
    momentum: float,
    potential: DiabaticPotential,
    *,
    trajectories: int,
    seed: int,
    preset: str,
) -> dict[str, Any]:
    """Run configuration with a time step for the fastest, and a patience for the slowest."""
    x = torch.linspace(-START, START, 601, dtype=torch.float64)
    positions = torch.nn.functional.pad(x[:, None, None], (0, 2))
    lowest = potential.surfaces(positions, torch.zeros(len(x), dtype=torch.int64)).energies[:, 0]
    depth = max(0.0, float(lowest[0] - lowest.min()))
    fastest = sqrt(momentum**2 + 2.0 * MASS * depth)
    timestep = LONGEST_STRIDE * MASS / fastest
    crossing = 2.0 * START * MASS / momentum / timestep
    return {
        "potential": {"tully": model},
        "initial_conditions": {
            "method": "model-particle",
            "position_bohr": -START,
            "momentum_au": momentum,
        },
        "dynamics": {
            "preset": preset,
            "timestep_au": timestep,
            "max_steps": ceil(_PATIENCE * crossing),
            "stop_outside_bohr": START,
        },
        "trajectories": trajectories,
        "batch_size": trajectories,
        "seed": seed,
    }


def _incoming(
    potential: DiabaticPotential, momentum: float, options: StepOptions, *, trajectories: int
) -> TrajectoryBatch:
    positions = torch.zeros(trajectories, 1, 3, dtype=torch.float64)
    velocities = torch.zeros_like(positions)
    positions[:, 0, 0] = -START
    velocities[:, 0, 0] = momentum / MASS
    lower = torch.zeros(trajectories, dtype=torch.int64)
    return start(potential, positions, velocities, lower, options=options)


def _count(batch: TrajectoryBatch, *, timestep: float, decoherence: str) -> TullyOutcome:
    x = batch.positions[:, 0, 0]
    left = (batch.status == Status.FINISHED) & (x.abs() > START)
    right, lower = x > 0, batch.active_state == 0
    number = len(batch)
    counts = [
        int((left & side & surface).sum())
        for side in (right, ~right)
        for surface in (lower, ~lower)
    ]
    fractions = [count / number for count in counts]
    return TullyOutcome(
        fractions=Channels(**dict(zip(_NAMES, fractions, strict=True))),
        standard_errors=Channels(
            **{
                name: sqrt(p * (1.0 - p) / number)
                for name, p in zip(_NAMES, fractions, strict=True)
            }
        ),
        unfinished=1.0 - sum(counts) / number,
        trajectories=number,
        steps=int(batch.step.max()),
        timestep=timestep,
        decoherence=decoherence,
    )

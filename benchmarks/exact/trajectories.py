"""Diabatic populations of surface-hopping trajectories at the times of a case, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from exact.cases import Case
from namd.config.loading import read_yaml, validate
from namd.config.run import RunConfig
from namd.dynamics.advance import advance
from namd.dynamics.batch import start
from namd.dynamics.diabatic import diabatic_populations
from namd.dynamics.from_config import run_options
from namd.dynamics.status import Status
from namd.io.library import find_run_config
from namd.potentials.from_config import make_potential
from namd.sampling.initial_conditions import make_initial_conditions

SUBSTEPS = 5
"""Of the electrons; 25 let one or two of 200 trajectories hop differently (at most 0.007)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """Means over trajectories.

    Parameters
    ----------
    populations
        At the times of the case.
    standard_errors
        Of the means.
    parked
        Trajectories that a guard stopped; their last values count on.
    """

    populations: Float[np.ndarray, "frame diabat"]
    standard_errors: Float[np.ndarray, "frame diabat"]
    parked: int


def run_case(
    name: str, case: Case, methods: Mapping[str, str], *, trajectories: int, seed: int
) -> Curves:
    """Run trajectories of one method on one case.

    Parameters
    ----------
    name
        Run configuration of ``trajectories/``; of its dynamics nothing is kept.
    case
        Times and time step.
    methods
        Keys of the ``dynamics`` section, such as ``preset``.
    trajectories, seed
        How many, all in one batch, and the seed of all random numbers.
    """
    path = find_run_config(name)
    every = round(case.frame_fs / case.timestep_fs)
    data: dict[str, Any] = read_yaml(path) | {
        "dynamics": {
            "timestep_fs": case.timestep_fs,
            "max_steps": every * case.frames,
            "substeps": SUBSTEPS,
            **methods,
        },
        "output": {"every_steps": every},
        "trajectories": trajectories,
        "batch_size": trajectories,
        "seed": seed,
    }
    config = validate(data, RunConfig, where=name)
    potential = make_potential(config.potential, base=path.parent, device="cpu")
    made = make_initial_conditions(
        config.initial_conditions,
        potential,
        trajectories=trajectories,
        seed=seed,
        base=path.parent,
        cache=Path(),  # for Hessians of trained models, of which there are none here
    )
    options = run_options(config, potential.molecule, reference=None, device="cpu")
    batch = start(
        potential,
        torch.from_numpy(made.positions),
        torch.from_numpy(made.velocities),
        torch.from_numpy(made.active_state),
        diabatic_state=None if made.diabatic_state is None else torch.tensor(made.diabatic_state),
        options=options.step,
    )
    frames = [diabatic_populations(batch)]
    for _ in range(case.frames):
        batch, _ = advance(
            batch,
            potential,
            options.step,
            steps=every,
            rules=options.loop.rules,
            batch_size=trajectories,
        )
        frames.append(diabatic_populations(batch))
    values = torch.stack(frames)
    return Curves(
        populations=values.mean(1).numpy(),
        standard_errors=(values.std(1) / trajectories**0.5).numpy(),
        parked=int((batch.status == Status.PARKED).sum()),
    )

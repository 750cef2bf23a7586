"""The job that throughput and determinism are measured on: cis-stilbene in S1.

Model, initial conditions and options are those of ``trajectories/stilbene-cis.yaml``, made by the
same library calls as in ``namd run surface-hopping``.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from namd.config.loading import load_config
from namd.config.run import RunConfig
from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.from_config import RunOptions, run_options
from namd.io.library import find_model, find_run_config
from namd.potentials.network import NetworkPotential, load_network_potential
from namd.sampling.conditions import InitialConditions
from namd.sampling.initial_conditions import make_initial_conditions

RUN = "stilbene-cis"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Model, options and initial conditions of a run."""

    config: RunConfig
    model_folder: Path
    potential: NetworkPotential
    initial: InitialConditions
    options: RunOptions


def make_job(*, trajectories: int, model: str, seed: int | None = None) -> Job:
    """Prepare the first ``trajectories`` trajectories of the run, on the CPU."""
    path = find_run_config(RUN)
    overrides = [] if seed is None else [f"seed={seed}"]
    config = load_config(path, RunConfig, overrides)
    folder = find_model(model, base=path.parent)
    potential = load_network_potential(folder)
    with TemporaryDirectory() as scratch:
        initial = make_initial_conditions(
            config.initial_conditions,
            potential,
            trajectories=trajectories,
            seed=config.seed,
            base=path.parent,
            cache=Path(scratch) / "hessian.h5",
        )
    options = run_options(config, potential.molecule, reference=initial.reference, device="cpu")
    return Job(
        config=config,
        model_folder=folder,
        potential=potential,
        initial=initial,
        options=options,
    )


def begin(job: Job, *, trajectories: int) -> TrajectoryBatch:
    """The first trajectories of the job at step 0."""
    rows = slice(0, trajectories)
    return start(
        job.potential,
        torch.from_numpy(job.initial.positions[rows]),
        torch.from_numpy(job.initial.velocities[rows]),
        torch.from_numpy(job.initial.active_state[rows]),
    )

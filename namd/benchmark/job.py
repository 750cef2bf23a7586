"""Trajectories to be timed: those of a run of the library, on any potential of its molecule."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from namd.config.loading import load_config
from namd.config.run import RunConfig
from namd.dynamics.batch import TrajectoryBatch, start
from namd.dynamics.from_config import RunOptions, run_options
from namd.dynamics.options import StepOptions
from namd.dynamics.step import step
from namd.errors import NamdError
from namd.io.library import find_model, find_run_config, run_names
from namd.io.model_header import read_model_header
from namd.molecule import Molecule
from namd.potentials.from_config import make_potential
from namd.potentials.protocol import Potential
from namd.sampling.conditions import InitialConditions
from namd.sampling.initial_conditions import make_initial_conditions


@dataclass(frozen=True, kw_only=True)
class Job:
    """Configuration, potential, initial conditions and options of a run, ready to start."""

    run: str
    config: RunConfig
    potential: Potential
    initial: InitialConditions
    options: RunOptions
    device: str

    def begin(self, *, trajectories: int) -> TrajectoryBatch:
        """The first trajectories at step 0.

        Raises
        ------
        ConfigError
            If the potential does not have what the methods of the run need.
        """
        rows = slice(0, trajectories)
        positions, velocities, active = (
            torch.from_numpy(values[rows]).to(self.device)
            for values in (
                self.initial.positions,
                self.initial.velocities,
                self.initial.active_state,
            )
        )
        return start(
            self.potential, positions, velocities, active.long(), options=self.options.step
        )


def make_job(
    run: str,
    *,
    trajectories: int,
    potential: Potential | None = None,
    overrides: Sequence[str] = (),
    device: str = "cpu",
) -> Job:
    """Make the first trajectories of a run by the calls of ``namd run surface-hopping``.

    Parameters
    ----------
    run
        Configuration file, or its name in the run library.
    trajectories
        How many.
    potential
        What they shall move on, of the run's molecule; None for the run's own, which the initial
        conditions are made with in either case.
    overrides
        ``key=value`` strings for the configuration.
    device
        Where they live.

    Raises
    ------
    NamdError
        As the run itself.
    """
    path = find_run_config(run)
    config = load_config(path, RunConfig, overrides)
    own = make_potential(config.potential, base=path.parent, device=device)
    with TemporaryDirectory() as scratch:
        initial = make_initial_conditions(
            config.initial_conditions,
            own,
            trajectories=trajectories,
            seed=config.seed,
            base=path.parent,
            cache=Path(scratch) / "hessian.h5",
            device=device,
        )
    options = run_options(config, own.molecule, reference=initial.reference, device=device)
    return Job(
        run=path.stem,
        config=config,
        potential=own if potential is None else potential,
        initial=initial,
        options=options,
        device=device,
    )


def find_run(molecule: Molecule, *, states: int) -> str | None:
    """Name of the first run in the library of this molecule, numbered alike, in these states."""
    numbers = molecule.atomic_numbers.tolist()
    for name in run_names():
        path = find_run_config(name)
        try:
            config = load_config(path, RunConfig)
            if config.potential.model is None:
                continue
            header = read_model_header(find_model(config.potential.model, base=path.parent))
        except NamdError:  # somebody else's run that cannot be used is not what is asked about
            continue
        state = config.initial_conditions.state
        if header["molecule"]["atomic_numbers"] == numbers and state is not None and state < states:
            return name
    return None


def march(
    batch: TrajectoryBatch, potential: Potential, options: StepOptions, *, steps: int
) -> TrajectoryBatch:
    """Make some steps, without output or checkpoints."""
    for _ in range(steps):
        batch = step(batch, potential, options).batch
    return batch

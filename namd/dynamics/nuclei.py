"""Nuclei from t to t + dt on the surface of the active state: velocity Verlet.

Reference: W. C. Swope, H. C. Andersen, P. H. Berens, K. R. Wilson, J. Chem. Phys. 76 (1982) 637,
DOI 10.1063/1.442716.
"""

from dataclasses import replace

import torch

from namd.dynamics.batch import TrajectoryBatch, surface_fields
from namd.dynamics.gauge import continue_signs
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.errors import DataError
from namd.potentials.protocol import Potential, following


def move_nuclei(
    batch: TrajectoryBatch, potential: Potential, options: StepOptions
) -> TrajectoryBatch:
    """Positions, velocities and surfaces at t + dt; amplitudes and memory are still those of t.

    Parameters
    ----------
    batch
        Trajectories at t; only active ones move.
    potential, options
        As for :func:`namd.dynamics.step.step`.

    Raises
    ------
    DataError
        If the trajectories were started for methods with other needs.
    """
    dt, alive = options.timestep, (batch.status == Status.ACTIVE)[:, None, None]
    acceleration = batch.force / options.masses[:, None]
    positions = batch.positions + batch.velocities * dt + acceleration * (0.5 * dt * dt)
    positions = torch.where(alive, positions, batch.positions)
    mine = following(potential, batch.trajectory_id)
    surfaces = mine.surfaces(positions, batch.active_state, needs=options.needs)
    acceleration = acceleration + surfaces.force / options.masses[:, None]
    moved = replace(
        batch,
        positions=positions,
        velocities=batch.velocities + acceleration * (0.5 * dt),
        **surface_fields(surfaces),
        step=batch.step + 1,
    )
    _refuse_unprepared(batch, moved)
    return continue_signs(batch, moved)


def _refuse_unprepared(before: TrajectoryBatch, after: TrajectoryBatch) -> None:
    """Refuse trajectories that were started for methods with other needs."""
    for name in ("eigenvectors", "couplings", "forces"):
        if getattr(before, name).shape != getattr(after, name).shape:
            raise DataError(
                f"the trajectories were started for other methods: {name} do not fit",
                where="trajectory batch",
                hint="start them with the options of their steps: start(…, options=options)",
            )

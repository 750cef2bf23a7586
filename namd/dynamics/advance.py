"""Advance an ensemble by some steps, in dense batches that are kept full.

Only active trajectories are stepped: finished and parked ones cost nothing. Before every stretch of
a few steps the batch is filled anew with those that are furthest behind. A trajectory that has
ended thus gives its place to one that waits, and where fewer than a batch are behind, others go
ahead, so that no place is empty as long as enough trajectories live. Nobody is ever further ahead
than one stretch, so a frame is complete as soon as the last trajectory reaches it.

Rows do not look at each other and time is each trajectory's own step counter: who shares a batch
with whom has no influence on any number. Nothing is read back by the host within a stretch.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, choose, put_rows, select
from namd.dynamics.finish import FinishRules
from namd.dynamics.hop_table import Columns, Moment, hop_table, join_hops
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.dynamics.step import step
from namd.potentials.protocol import Potential

STRETCH = 20
"""Largest number of steps between two fillings of the batch."""


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """An ensemble some steps later.

    Parameters
    ----------
    batch
        As it stands: trajectories may be ahead of the frame by up to one stretch.
    frame
        As it stood at the frame, everybody at the same time; a trajectory that ended earlier shows
        its last values.
    hops
        Tried on the way, in the order of step and trajectory; those of trajectories that are ahead
        may lie behind the frame.
    """

    batch: TrajectoryBatch
    frame: TrajectoryBatch
    hops: Columns


def advance(
    batch: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    steps: int,
    rules: FinishRules,
    batch_size: int,
) -> tuple[TrajectoryBatch, Columns]:
    """Make ``steps`` steps with every active trajectory.

    Parameters
    ----------
    batch
        The whole ensemble.
    potential, options
        As for :func:`namd.dynamics.step.step`. A bucket for hopping trajectories that proves too
        small is doubled and the stretch done again.
    steps
        How many; a trajectory that finishes on the way stops there.
    rules
        When a trajectory is finished.
    batch_size
        Largest number of trajectories stepped at once.

    Returns
    -------
    The ensemble afterwards, and the hops tried, as columns sorted by step and trajectory.
    """
    goal = batch.step + steps
    made = _fill_and_march(
        batch, potential, options, frame=goal, limit=goal, rules=rules, batch_size=batch_size
    )
    return made.batch, made.hops


def advance_to_frame(
    batch: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    frame: int,
    next_frame: int,
    rules: FinishRules,
    batch_size: int,
) -> Advanced:
    """Advance until every active trajectory has made at least ``frame`` steps.

    Parameters
    ----------
    batch
        The whole ensemble, nobody beyond ``frame``.
    potential, options, rules, batch_size
        As for :func:`advance`.
    frame, next_frame
        Steps at which a frame is saved; those that reach the first may go on, to the second at
        most, where there is place in the batch.
    """
    return _fill_and_march(
        batch,
        potential,
        options,
        frame=torch.full_like(batch.step, frame),
        limit=torch.full_like(batch.step, next_frame),
        rules=rules,
        batch_size=batch_size,
    )


def _fill_and_march(
    batch: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    frame: Int64[Tensor, " traj"],
    limit: Int64[Tensor, " traj"],
    rules: FinishRules,
    batch_size: int,
) -> Advanced:
    """Step those furthest from their frame until nobody is before it."""
    seen, hops = batch, []
    while True:
        active = batch.status == Status.ACTIVE
        if not bool((active & (batch.step < frame)).any()):
            break
        index = (active & (batch.step < limit)).nonzero().squeeze(1)
        behind = (frame - batch.step)[index]
        places = torch.sort(behind, descending=True, stable=True).indices[:batch_size]
        index, behind = index[places], behind[places]
        # A stretch ends where the first of its trajectories comes to a frame.
        left = torch.where(behind > 0, behind, (limit - batch.step)[index])
        steps = min(STRETCH, int(left.min()))
        before_frame = batch.step < frame
        rows, found = _stretch(select(batch, index), potential, options, steps=steps, rules=rules)
        batch = put_rows(batch, index, rows)
        seen = choose(before_frame, batch, seen)
        hops.append(found)
    return Advanced(batch=batch, frame=seen, hops=join_hops(hops, atoms=batch.positions.shape[1]))


def _stretch(
    rows: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    steps: int,
    rules: FinishRules,
) -> tuple[TrajectoryBatch, Columns]:
    """Advance a dense batch; with a larger bucket if the first was too small."""
    while True:
        after, moments, overflow = _march(rows, potential, options, steps=steps, rules=rules)
        if options.hop_capacity is None or not bool(overflow):
            return after, hop_table(moments, timestep=options.timestep)
        options = replace(options, hop_capacity=min(2 * options.hop_capacity, len(rows)))


def _march(
    rows: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    steps: int,
    rules: FinishRules,
) -> tuple[TrajectoryBatch, list[Moment], Tensor]:
    overflow = torch.zeros((), dtype=torch.bool, device=rows.positions.device)
    moments = []
    for _ in range(steps):
        result = step(rows, potential, options)
        rows = rules.apply(result.batch)
        overflow = overflow | result.overflow
        moments.append(Moment(hops=result.hops, trajectory_id=rows.trajectory_id))
    return rows, moments, overflow

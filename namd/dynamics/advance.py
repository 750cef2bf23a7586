"""Advance an ensemble by some steps, in dense batches of its active trajectories.

Finished and parked trajectories cost nothing: only active rows are taken out, stepped in chunks of
the batch size and put back. Rows do not look at each other, so the result does not depend on how
they are cut. Nothing is read back by the host until the steps are made.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, merge, put_rows, select
from namd.dynamics.finish import FinishRules
from namd.dynamics.hop import HopRecord
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.dynamics.step import step
from namd.potentials.protocol import Potential

_STEPS_HELD = 50
"""Steps whose hop records and positions are held at once."""

_HOP_COLUMNS = (
    "step",
    "positions",
    "from_state",
    "to_state",
    "accepted",
    "gap",
    "kinetic_energy",
)

Columns = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """What may be needed of a step once it is known who hopped."""

    hops: HopRecord
    trajectory_id: Tensor


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
        small is doubled and the chunk done again.
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
    hops: list[Columns] = []
    while steps > 0:
        now = min(steps, _STEPS_HELD)
        active = (batch.status == Status.ACTIVE).nonzero().squeeze(1)
        if not len(active):
            break
        pieces = []
        for index in torch.split(active, batch_size):
            piece, found = _chunk(select(batch, index), potential, options, steps=now, rules=rules)
            pieces.append(piece)
            hops.append(found)
        batch = put_rows(batch, active, merge(*pieces))
        steps -= now
    return batch, join_hops(hops, atoms=batch.positions.shape[1])


def join_hops(tables: list[Columns], *, atoms: int) -> Columns:
    """One table of hops in the order of step, then trajectory."""
    tables = [_no_hops(atoms), *tables]
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.lexsort((joined["trajectory"], joined["step"]))
    return {name: column[order] for name, column in joined.items()}


def _chunk(
    rows: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    steps: int,
    rules: FinishRules,
) -> tuple[TrajectoryBatch, Columns]:
    """Advance a dense chunk; with a larger bucket if the first was too small."""
    while True:
        after, moments, overflow = _march(rows, potential, options, steps=steps, rules=rules)
        if options.hop_capacity is None or not bool(overflow):
            return after, _collect(moments, timestep=options.timestep)
        options = replace(options, hop_capacity=min(2 * options.hop_capacity, len(rows)))


def _march(
    rows: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    steps: int,
    rules: FinishRules,
) -> tuple[TrajectoryBatch, list[_Moment], Tensor]:
    overflow = torch.zeros((), dtype=torch.bool, device=rows.positions.device)
    moments = []
    for _ in range(steps):
        result = step(rows, potential, options)
        rows = rules.apply(result.batch)
        overflow = overflow | result.overflow
        moments.append(_Moment(hops=result.hops, trajectory_id=rows.trajectory_id))
    return rows, moments, overflow


def _collect(moments: list[_Moment], *, timestep: float) -> Columns:
    """Columns of the hops tried, from the records of a stretch of steps."""
    attempted = torch.stack([moment.hops.attempted for moment in moments])
    where = attempted.nonzero().cpu()
    tables = [
        _hops_of(moments[k], where[where[:, 0] == k, 1], timestep=timestep)
        for k in sorted(set(where[:, 0].tolist()))
    ]
    return join_hops(tables, atoms=moments[0].hops.positions.shape[1])


def _hops_of(moment: _Moment, index: Int64[Tensor, " hop"], *, timestep: float) -> Columns:
    index = index.to(moment.trajectory_id.device)

    def take(values: Tensor) -> np.ndarray:
        return values.index_select(0, index).cpu().numpy()

    columns = {"trajectory": take(moment.trajectory_id)}
    for name in _HOP_COLUMNS:
        columns[name] = take(getattr(moment.hops, name))
    return columns | {"time": columns["step"] * timestep}


def _no_hops(atoms: int) -> Columns:
    whole = ("trajectory", "step", "from_state", "to_state")
    real = ("time", "gap", "kinetic_energy")
    return {
        **{name: np.zeros(0, dtype=np.int64) for name in whole},
        **{name: np.zeros(0) for name in real},
        "accepted": np.zeros(0, dtype=np.bool_),
        "positions": np.zeros((0, atoms, 3)),
    }

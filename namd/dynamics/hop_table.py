"""Hops tried in a stretch of steps, brought to the host as one table of columns."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from namd.dynamics.hop import HopRecord

Columns = dict[str, np.ndarray]
"""Arrays by name, as they go into a file."""

_HOP_COLUMNS = (
    "step",
    "positions",
    "from_state",
    "to_state",
    "accepted",
    "gap",
    "kinetic_energy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What may be needed of a step once it is known who hopped.

    Parameters
    ----------
    hops
        One row per trajectory that was stepped.
    trajectory_id
        Which trajectories these are.
    """

    hops: HopRecord
    trajectory_id: Int64[Tensor, " traj"]


def hop_table(moments: list[Moment], *, timestep: float) -> Columns:
    """Columns of the hops tried, from the records of a stretch of steps.

    Parameters
    ----------
    moments
        One per step; they are looked at by the host here and not before.
    timestep
        Atomic units of time.
    """
    attempted = torch.stack([moment.hops.attempted for moment in moments])
    where = attempted.nonzero().cpu()
    tables = [
        _hops_of(moments[k], where[where[:, 0] == k, 1], timestep=timestep)
        for k in sorted(set(where[:, 0].tolist()))
    ]
    return join_hops(tables, atoms=moments[0].hops.positions.shape[1])


def join_hops(tables: list[Columns], *, atoms: int) -> Columns:
    """One table of hops in the order of step, then trajectory."""
    tables = [_no_hops(atoms), *tables]
    joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.lexsort((joined["trajectory"], joined["step"]))
    return {name: column[order] for name, column in joined.items()}


def split_hops(table: Columns, *, step: int) -> tuple[Columns, Columns]:
    """Part a sorted table into hops before ``step`` and those at it or later."""
    count = int(np.searchsorted(table["step"], step))
    return (
        {name: column[:count] for name, column in table.items()},
        {name: column[count:] for name, column in table.items()},
    )


def _hops_of(moment: Moment, index: Int64[Tensor, " hop"], *, timestep: float) -> Columns:
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

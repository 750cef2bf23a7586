"""Statistics of the hops: how many, when, at which gap, and how many were frustrated."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float

from namd.io.ensemble import Ensemble
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME


@dataclass(frozen=True, kw_only=True)
class Quartiles:
    """Lower quartile, median and upper quartile."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class HopStatistics:
    """Hops from one state to another.

    Parameters
    ----------
    from_state, to_state
        Labels.
    accepted, frustrated
        Numbers of hops made, and of hops refused for want of kinetic energy.
    trajectories
        Trajectories that made at least one accepted hop of this kind.
    time_fs, gap_ev
        Quartiles over the accepted hops, None without any.
    """

    from_state: str
    to_state: str
    accepted: int
    frustrated: int
    trajectories: int
    time_fs: Quartiles | None
    gap_ev: Quartiles | None


def hop_statistics(ensemble: Ensemble) -> list[HopStatistics]:
    """Summarise the hop table by pair of states; pairs without any attempt are left out."""
    hops, labels = ensemble.hops, ensemble.states.labels
    rows = []
    for start, end in permutations(range(len(labels)), 2):
        kind = (hops.from_state == start) & (hops.to_state == end)
        made = kind & hops.accepted
        if kind.any():
            rows.append(
                HopStatistics(
                    from_state=labels[start],
                    to_state=labels[end],
                    accepted=int(made.sum()),
                    frustrated=int((kind & ~made).sum()),
                    trajectories=len(np.unique(hops.trajectory[made])),
                    time_fs=quartiles(hops.time[made] * FS_PER_ATOMIC_TIME),
                    gap_ev=quartiles(hops.gap[made] * EV_PER_HARTREE),
                )
            )
    return rows


def quartiles(values: Float[np.ndarray, " hop"]) -> Quartiles | None:
    """Quartiles of what is known (no NaN); None of nothing."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return Quartiles(lower=float(lower), median=float(median), upper=float(upper))

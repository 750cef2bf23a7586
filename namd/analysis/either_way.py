"""How far results could move if what became of the parked trajectories were known.

Parked trajectories are left out (populations), censored (lifetimes) or failed (yields). If parking
goes with a state or with a product, that is a bias; counting all of them one way and then the other
encloses whatever they would have done.
"""

from dataclasses import dataclass

import numpy as np

from namd.analysis.survival import SurvivalTimes, median_survival
from namd.analysis.yields import FAILED, Yields


@dataclass(frozen=True, kw_only=True)
class Range:
    """A number if all parked ones go the one way, and if all go the other.

    Parameters
    ----------
    lower, upper
        None where there is no such number.
    """

    lower: float | None
    upper: float | None


def lifetime_range(times: SurvivalTimes) -> Range:
    """Median survival if all parked ones decayed as they were parked, and if they never do, fs.

    None stands for a median that is not reached; for those that never decay the observation goes
    on to the end of the longest one.
    """
    if not len(times):
        return Range(lower=None, upper=None)
    longest = np.where(times.parked, times.duration_fs.max(), times.duration_fs)
    medians = (
        median_survival(times.duration_fs, times.decayed | times.parked),
        median_survival(longest, times.decayed),
    )
    lower, upper = (float(value) if np.isfinite(value) else None for value in medians)
    return Range(lower=lower, upper=upper)


def yield_ranges(yields: Yields) -> dict[str, dict[str, Range]]:
    """Fractions of every class if none, and if all, of the parked ones had become it.

    Returns
    -------
    dict
        Class → ``of_all`` and ``of_decided``: of all trajectories, and of the decided ones with
        the parked among them.
    """
    parked = yields.classes[FAILED].count
    decided = yields.decided + parked

    def both(count: int, total: int) -> Range:
        if total == 0:
            return Range(lower=None, upper=None)
        return Range(lower=count / total, upper=(count + parked) / total)

    return {
        name: {
            "of_all": both(entry.count, yields.classes[name].total),
            "of_decided": both(entry.count, decided),
        }
        for name, entry in yields.conditional.items()
    }

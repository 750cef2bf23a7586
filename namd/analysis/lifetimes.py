"""Lifetimes of an ensemble: of all trajectories, and of those that have become each product.

The event is the first arrival in the ground state (:mod:`namd.analysis.survival`). What became of a
trajectory is known at its end, so that the times of one product's trajectories are a description
of those that have arrived, not a rate: of the products that take long, the late ones are missing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from namd.analysis.decay_fit import DecayFit, fit_decay
from namd.analysis.survival import Estimate, bootstrap_median, survival_times
from namd.analysis.yields import outcomes
from namd.config.classes import AnalysisConfig
from namd.io.ensemble import Ensemble
from namd.units import FS_PER_ATOMIC_TIME

_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Lifetime:
    """How long some trajectories take to the ground state.

    Parameters
    ----------
    name
        ``all``, or the product they have become.
    duration_fs, decayed
        As in :class:`namd.analysis.survival.SurvivalTimes`.
    median
        None where it is not reached.
    delayed, exponential
        Fits with and without a delay; None with too few decays.
    """

    name: str
    duration_fs: Float[np.ndarray, " traj"]
    decayed: Bool[np.ndarray, " traj"]
    median: Estimate | None
    delayed: DecayFit | None
    exponential: DecayFit | None


def lifetimes(ensemble: Ensemble, classes: AnalysisConfig | None) -> list[Lifetime]:
    """Take the lifetime of all trajectories, then of those that have become each product.

    Parameters
    ----------
    ensemble
        As read by :func:`namd.io.ensemble.read_ensemble`.
    classes
        What counts as which product; None: of all only.

    Raises
    ------
    ConfigError
        If a coordinate of a class names an atom the molecule does not have.
    """
    times = survival_times(ensemble)
    observed = float(ensemble.time[-1]) * FS_PER_ATOMIC_TIME
    found = [_lifetime("all", times.duration_fs, times.decayed, observed)]
    if classes is not None and len(times):
        become = outcomes(ensemble, classes)[ensemble.active_state[0] > 0]
        for declared in classes.classes:
            those = (become == declared.name) & times.decayed
            duration, decayed = times.duration_fs[those], times.decayed[those]
            found.append(_lifetime(declared.name, duration, decayed, observed))
    return found


def _lifetime(
    name: str,
    duration: Float[np.ndarray, " traj"],
    decayed: Bool[np.ndarray, " traj"],
    observed: float,
) -> Lifetime:
    def fit(delayed: bool) -> DecayFit | None:
        generator = np.random.default_rng(_SEED)
        return fit_decay(
            duration, decayed, observed_fs=observed, delayed=delayed, generator=generator
        )

    return Lifetime(
        name=name,
        duration_fs=duration,
        decayed=decayed,
        median=bootstrap_median(duration, decayed, generator=np.random.default_rng(_SEED)),
        delayed=fit(True),
        exponential=fit(False),
    )

"""Populations of the electronic states over time, with every trajectory accounted for.

Who counts at time t: every trajectory that has not been parked by then; their number is n(t). A
finished one (stopped early, after it had settled in the ground state) keeps its last state. A
parked one leaves at its parking time, which would hide a bias if parking goes with a state; so the
populations that would follow if *all* parked ones were in the state, or none, are given as bounds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from namd.analysis.intervals import wilson
from namd.io.ensemble import PARKED, Ensemble
from namd.units import FS_PER_ATOMIC_TIME


@dataclass(frozen=True, eq=False, kw_only=True)
class Populations:
    """Populations at every saved time.

    Parameters
    ----------
    time_fs
        Saved times.
    states
        Labels of the states.
    active
        Fraction of the n(t) counting trajectories whose active state it is; NaN where n(t) = 0.
    lower, upper
        95 % Wilson interval of ``active``.
    amplitude
        Mean |c_k|² of the same trajectories; NaN where n(t) = 0.
    trajectories
        n(t).
    parked
        Trajectories parked by then.
    bound_lower, bound_upper
        Fraction of *all* trajectories if none, or all, of the parked ones were in the state.
    as_parked
        The same if every one of them had stayed in the state in which it was parked.
    """

    time_fs: Float[np.ndarray, " frame"]
    states: tuple[str, ...]
    active: Float[np.ndarray, "frame state"]
    lower: Float[np.ndarray, "frame state"]
    upper: Float[np.ndarray, "frame state"]
    amplitude: Float[np.ndarray, "frame state"]
    trajectories: Int[np.ndarray, " frame"]
    parked: Int[np.ndarray, " frame"]
    bound_lower: Float[np.ndarray, "frame state"]
    bound_upper: Float[np.ndarray, "frame state"]
    as_parked: Float[np.ndarray, "frame state"]


def populations(ensemble: Ensemble) -> Populations:
    """Count the active states and average |c_k|² over the trajectories that count.

    Parameters
    ----------
    ensemble
        As read by :func:`namd.io.ensemble.read_ensemble`.
    """
    counts = ensemble.status != PARKED
    n = counts.sum(axis=1)
    parked = ensemble.n_trajectories - n
    states = np.arange(len(ensemble.states))
    in_state = counts[:, :, None] & (ensemble.active_state[:, :, None] == states)
    number = in_state.sum(axis=1)
    # A parked trajectory may hold NaN: leave it out before summing, not by multiplying with zero.
    squared = np.where(counts[:, :, None], np.abs(ensemble.amplitudes) ** 2, 0.0)
    per = np.where(n > 0, n, np.nan)[:, None]
    lower, upper = wilson(number, np.broadcast_to(n[:, None], number.shape))
    return Populations(
        time_fs=ensemble.time * FS_PER_ATOMIC_TIME,
        states=ensemble.states.labels,
        active=number / per,
        lower=lower,
        upper=upper,
        amplitude=squared.sum(axis=1) / per,
        trajectories=n,
        parked=parked,
        bound_lower=number / ensemble.n_trajectories,
        bound_upper=(number + parked[:, None]) / ensemble.n_trajectories,
        as_parked=(ensemble.active_state[:, :, None] == states).mean(axis=1),
    )

"""Populations of the diabatic states over time: means over trajectories with their errors.

What a trajectory contributes (:mod:`namd.dynamics.diabatic`) is no yes or no but a number that may
leave 0 … 1, so the interval is that of a mean, and may do so too. Who counts is as for the
populations of adiabatic states (:mod:`namd.analysis.populations`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from namd.analysis.intervals import CONFIDENCE
from namd.errors import DataError
from namd.io.ensemble import PARKED, Ensemble
from namd.units import FS_PER_ATOMIC_TIME


@dataclass(frozen=True, eq=False, kw_only=True)
class DiabaticPopulations:
    """Diabatic populations at every saved time.

    Parameters
    ----------
    time_fs
        Saved times.
    states
        Labels: d0, d1, …
    mean
        Over the n(t) counting trajectories; NaN where n(t) = 0.
    standard_error
        Sample standard deviation over √n(t); NaN where n(t) < 2.
    lower, upper
        95 % interval of the mean.
    trajectories
        n(t).
    """

    time_fs: Float[np.ndarray, " frame"]
    states: tuple[str, ...]
    mean: Float[np.ndarray, "frame diabat"]
    standard_error: Float[np.ndarray, "frame diabat"]
    lower: Float[np.ndarray, "frame diabat"]
    upper: Float[np.ndarray, "frame diabat"]
    trajectories: Int[np.ndarray, " frame"]


def diabatic_populations(ensemble: Ensemble) -> DiabaticPopulations:
    """Average over the trajectories that have not been parked.

    Parameters
    ----------
    ensemble
        As read by :func:`namd.io.ensemble.read_ensemble`.

    Raises
    ------
    DataError
        If its potential had no diabatic states, or it was written before they were kept.
    """
    values = ensemble.diabatic_populations
    if values is None:
        raise DataError(
            "the ensemble holds no diabatic populations",
            where=str(ensemble.path),
            hint="they are kept by runs on potentials that have a diabatic basis",
        )
    counts = ensemble.status != PARKED
    n = counts.sum(axis=1)
    # A parked trajectory may hold NaN: leave it out before summing, not by multiplying with zero.
    kept = np.where(counts[:, :, None], values, 0.0)
    mean = kept.sum(axis=1) / np.where(n > 0, n, np.nan)[:, None]
    away = np.where(counts[:, :, None], kept - mean[:, None], 0.0)
    freedom = np.where(n > 1, (n - 1) * n, np.nan)[:, None]
    error = np.sqrt((away**2).sum(axis=1) / freedom)
    half = ndtri(0.5 + CONFIDENCE / 2) * error
    return DiabaticPopulations(
        time_fs=ensemble.time * FS_PER_ATOMIC_TIME,
        states=tuple(f"d{k}" for k in range(values.shape[2])),
        mean=mean,
        standard_error=error,
        lower=mean - half,
        upper=mean + half,
        trajectories=n,
    )

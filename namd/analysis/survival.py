"""How long the excited states live: Kaplan–Meier and its median, with censoring.

The event of a trajectory is its *first arrival in the ground state*, taken from the hop table (not
from the coarser saved frames). A trajectory that was parked, or is still excited when it ends, is
censored there: it has lived at least that long. Dropping such trajectories, or fitting a curve
through the survivors, would make the lifetime too short.

A median asks for no model. An exponential would be one: a wave packet needs time to reach the
funnel, so early decay is delayed. Where fewer than half have decayed there is no median; then the
time per decay (:func:`time_per_decay`), which does assume a constant rate, is a bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.analysis.intervals import CONFIDENCE, garwood
from namd.io.ensemble import ACTIVE, Ensemble, is_parked
from namd.units import FS_PER_ATOMIC_TIME

_RESAMPLES = 2000
_BLOCK = 200  # resamples held in memory at once


@dataclass(frozen=True, eq=False, kw_only=True)
class SurvivalTimes:
    """Time to the first arrival in the ground state, or to the end of the observation.

    Only trajectories that began in an excited state have a row.

    Parameters
    ----------
    state
        Label of the initial state, or ``"excited"`` if they began in different ones.
    duration_fs
        Time of the event or of the censoring.
    decayed
        True: arrived in the ground state; false: censored.
    parked
        Censored because a guard parked it.
    """

    state: str
    duration_fs: Float[np.ndarray, " traj"]
    decayed: Bool[np.ndarray, " traj"]
    parked: Bool[np.ndarray, " traj"]

    def __len__(self) -> int:
        return len(self.duration_fs)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number in fs with its 95 % interval; ``inf`` means longer than the data can tell."""

    value_fs: float
    lower_fs: float
    upper_fs: float


def survival_times(ensemble: Ensemble) -> SurvivalTimes:
    """Collect the excited-state survival of every trajectory that began excited."""
    initial = ensemble.active_state[0]
    excited = initial > 0
    arrival = np.full(ensemble.n_trajectories, np.inf)
    hops = ensemble.hops
    down = hops.accepted & (hops.to_state == 0)
    np.minimum.at(arrival, hops.trajectory[down], hops.time[down])
    end, parked = observed_until(ensemble)
    decayed = np.isfinite(arrival)
    first = np.unique(initial[excited])
    return SurvivalTimes(
        state=ensemble.states.labels[first[0]] if len(first) == 1 else "excited",
        duration_fs=np.where(decayed, arrival, end)[excited] * FS_PER_ATOMIC_TIME,
        decayed=decayed[excited],
        parked=(parked & ~decayed)[excited],
    )


def observed_until(
    ensemble: Ensemble,
) -> tuple[Float[np.ndarray, " traj"], Bool[np.ndarray, " traj"]]:
    """Time (hbar/Hartree) up to which each trajectory moved, and whether it was parked.

    That is the last step it made, where its end is recorded; else the last saved frame in which it
    was active (a running or interrupted ensemble). What is repeated in later frames is no
    observation.
    """
    moving = ensemble.status == ACTIVE  # an end is for good: the active frames come first
    last_moving = ensemble.time[np.maximum(moving.sum(axis=0) - 1, 0)]
    last_step = ensemble.final_step * ensemble.timestep
    recorded = ensemble.final_status != ACTIVE
    return np.where(recorded, np.maximum(last_step, last_moving), last_moving), is_parked(ensemble)


def kaplan_meier(
    duration: Float[np.ndarray, " traj"], decayed: Bool[np.ndarray, " traj"]
) -> tuple[Float[np.ndarray, " event"], Float[np.ndarray, " event"]]:
    """Kaplan–Meier estimate of the survival function.

    S(t) = Π_{t_i ≤ t} (1 − d_i/n_i) with d_i decays among the n_i still observed at t_i; a
    trajectory censored at t_i is still observed there.

    Parameters
    ----------
    duration
        Time of decay or censoring.
    decayed
        False: censored.

    Returns
    -------
    tuple of numpy.ndarray
        Times at which S drops, ascending and distinct, and S just after each.

    References
    ----------
    E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53, 457 (1958),
    doi:10.1080/01621459.1958.10501452.
    """
    times, counts = np.unique(duration[decayed], return_counts=True)
    at_risk = len(duration) - np.searchsorted(np.sort(duration), times, side="left")
    return times, np.cumprod(1 - counts / at_risk)


def median_survival(
    duration: Float[np.ndarray, " traj"], decayed: Bool[np.ndarray, " traj"]
) -> float:
    """Median survival time: the first time at which S(t) ≤ ½; ``inf`` if it is never reached."""
    if not len(duration):
        return float("inf")
    weights = np.ones((1, len(duration)), dtype=np.int64)
    return float(_weighted_medians(*in_order(duration, decayed), weights)[0])


def bootstrap_median(
    duration: Float[np.ndarray, " traj"],
    decayed: Bool[np.ndarray, " traj"],
    *,
    generator: np.random.Generator,
    resamples: int = _RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """Median survival with a percentile interval from resampled trajectories.

    Parameters
    ----------
    duration
        Time of decay or censoring, fs.
    decayed
        False: censored.
    generator
        Source of the resampling; the same seed gives the same interval.
    resamples
        Number of bootstrap samples.
    confidence
        Two-sided coverage.

    Returns
    -------
    Estimate or None
        None if the median is not reached; ``upper_fs`` is ``inf`` where the resamples do not
        reach theirs.

    References
    ----------
    B. Efron, J. Am. Stat. Assoc. 76, 312 (1981), doi:10.1080/01621459.1981.10477650.
    """
    median = median_survival(duration, decayed)
    if not np.isfinite(median):
        return None
    n = len(duration)
    ordered = in_order(duration, decayed)
    medians = np.concatenate(
        [_weighted_medians(*ordered, weights) for weights in resampled(n, generator, resamples)]
    )
    lower, upper = percentiles(medians, confidence)
    return Estimate(value_fs=median, lower_fs=lower, upper_fs=upper)


def bootstrap_difference(
    first: SurvivalTimes,
    second: SurvivalTimes,
    *,
    paired: bool,
    generator: np.random.Generator,
    resamples: int = _RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """Difference of the median survival times, second less first, with a percentile interval.

    Parameters
    ----------
    first, second
        Survival of two ensembles.
    paired
        Row i of both began alike: the same trajectories are drawn from both, so that what they
        have in common cancels.
    generator, resamples, confidence
        As for :func:`bootstrap_median`.

    Returns
    -------
    Estimate or None
        None if either median is not reached.
    """
    medians = [median_survival(each.duration_fs, each.decayed) for each in (first, second)]
    if not np.isfinite(medians).all():
        return None
    orders = [_order(each.duration_fs, each.decayed) for each in (first, second)]
    sorted_ones = [in_order(each.duration_fs, each.decayed) for each in (first, second)]
    differences = []
    for weights in resampled(len(first), generator, resamples):
        others = weights
        if not paired:
            others = next(resampled(len(second), generator, len(weights)))
        early = _weighted_medians(*sorted_ones[0], weights[:, orders[0]])
        late = _weighted_medians(*sorted_ones[1], others[:, orders[1]])
        with np.errstate(invalid="ignore"):  # inf - inf: neither sample reaches its median
            differences.append(late - early)
    known = np.concatenate(differences)
    lower, upper = percentiles(known[~np.isnan(known)], confidence)
    return Estimate(value_fs=medians[1] - medians[0], lower_fs=lower, upper_fs=upper)


def time_per_decay(times: SurvivalTimes) -> Estimate | None:
    """Total observed time per decay: the lifetime *if* the rate were constant from the start.

    τ = Σ t / k with the exact Poisson interval of k (:func:`namd.analysis.intervals.garwood`).
    With no decay at all τ is ``inf`` and only ``lower_fs`` is informative.

    Returns
    -------
    Estimate or None
        None if nothing was observed for any time.
    """
    total = float(times.duration_fs.sum())
    if total <= 0:
        return None
    count = int(times.decayed.sum())
    low, high = garwood(count)
    return Estimate(
        value_fs=total / count if count else float("inf"),
        lower_fs=total / high,
        upper_fs=total / low if count else float("inf"),
    )


def resampled(
    n: int, generator: np.random.Generator, resamples: int
) -> Iterator[Int[np.ndarray, "sample traj"]]:
    """Yield how often each of n trajectories is drawn, in blocks of samples."""
    equal = np.full(n, 1 / n)
    for start in range(0, resamples, _BLOCK):
        yield generator.multinomial(n, equal, size=min(_BLOCK, resamples - start))


def percentiles(values: Float[np.ndarray, " sample"], confidence: float) -> tuple[float, float]:
    """Ends of the percentile interval; they are values: interpolating to inf would give NaN."""
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return float(lower), float(upper)


def _order(
    duration: Float[np.ndarray, " traj"], decayed: Bool[np.ndarray, " traj"]
) -> Int[np.ndarray, " traj"]:
    """Order in time; at equal times decays before censorings."""
    return np.lexsort((~decayed, duration))


def in_order(
    duration: Float[np.ndarray, " traj"], decayed: Bool[np.ndarray, " traj"]
) -> tuple[Float[np.ndarray, " traj"], Bool[np.ndarray, " traj"]]:
    """Sort by time; at equal times decays before censorings."""
    order = _order(duration, decayed)
    return duration[order], decayed[order]


def weighted_survival(
    decayed: Bool[np.ndarray, " traj"], weights: Int[np.ndarray, "sample traj"]
) -> Float[np.ndarray, "sample traj"]:
    """Kaplan–Meier S just after each time, of samples with trajectory i ``weights[:, i]`` times.

    The trajectories are those of :func:`in_order`. Tied decays taken one after the other give the
    same product as taken at once, since (1 − a/n)(1 − b/(n − a)) = 1 − (a + b)/n.
    """
    at_risk = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    factors = 1 - np.where(decayed, weights, 0) / np.maximum(at_risk, 1)
    survival: Float[np.ndarray, "sample traj"] = np.cumprod(factors, axis=1)
    return survival


def _weighted_medians(
    duration: Float[np.ndarray, " traj"],
    decayed: Bool[np.ndarray, " traj"],
    weights: Int[np.ndarray, "sample traj"],
) -> Float[np.ndarray, " sample"]:
    """Medians of the samples of :func:`weighted_survival`."""
    half = weighted_survival(decayed, weights) <= 0.5 + 1e-12
    reached = half.any(axis=1)
    return np.where(reached, duration[half.argmax(axis=1)], np.inf)

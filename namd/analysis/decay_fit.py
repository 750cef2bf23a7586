r"""A lifetime by fit: an exponential, after a delay or from the start, to the survival curve.

A wave packet needs time to reach the funnel, so that nothing decays at first; the usual form is

.. math::

    f(t) = 1 \;(t < t_0), \qquad f(t) = e^{-(t - t_0)/\tau} \;(t \ge t_0)

with the mean lifetime t₀ + τ. It is fitted to the Kaplan–Meier curve S(t) (censored trajectories
count for as long as they were seen) by least squares in continuous time,

.. math::

    C(t_0, \tau) = \int_0^T [S(t) - f(t)]^2 dt
    = \text{const} + \int_0^T f^2 dt - 2 \Bigl[\sum_j d_j F(t_j) + S(T) F(T)\Bigr],
    \qquad F(t) = \int_0^t f,

with the drops d_j of S at t_j: no grid of times enters. The likelihood's own estimate of t₀ would
be the earliest decay of all, one trajectory; least squares asks the whole curve.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from namd.analysis.intervals import CONFIDENCE
from namd.analysis.survival import Estimate, in_order, percentiles, resampled, weighted_survival

FEWEST = 10  # decays that a fit asks for
_RESAMPLES = 1000
_ENDLESS = 1e4  # times the observation: beyond, a time constant is not told from infinity
_SHORTEST = 1e-6  # likewise
_ITERATIONS = 60


@dataclass(frozen=True, kw_only=True)
class DecayFit:
    """An exponential fitted to a survival curve.

    Parameters
    ----------
    delay, constant, lifetime
        t₀, τ and t₀ + τ with percentile intervals from resampled trajectories.
    misfit
        Largest distance of the curve from the fit, 0 … 1.
    extrapolated
        The curve ends before t₀ + τ: the fit says what was not observed.
    """

    delay: Estimate
    constant: Estimate
    lifetime: Estimate
    misfit: float
    extrapolated: bool


def fit_decay(
    duration: Float[np.ndarray, " traj"],
    decayed: Bool[np.ndarray, " traj"],
    *,
    observed_fs: float,
    delayed: bool,
    generator: np.random.Generator,
    resamples: int = _RESAMPLES,
    confidence: float = CONFIDENCE,
) -> DecayFit | None:
    """Fit an exponential to the survival of trajectories.

    Parameters
    ----------
    duration
        Time of decay or censoring, fs.
    decayed
        False: censored.
    observed_fs
        T where all have decayed: the curve is zero from the last decay until then. Else T is the
        longest time that a trajectory was seen.
    delayed
        Fit t₀ too; else it is zero.
    generator
        Source of the resampling; the same seed gives the same intervals.
    resamples
        Number of bootstrap samples.
    confidence
        Two-sided coverage.

    Returns
    -------
    DecayFit or None
        None with fewer than ten decays. An end is ``inf`` where τ is beyond what was observed.
    """
    if int(decayed.sum()) < FEWEST:
        return None
    times, events = in_order(duration, decayed)
    everyone = np.ones((1, len(times)), dtype=np.int64)
    whole = weighted_survival(events, everyone)
    end = max(float(times[-1]), observed_fs) if whole[0, -1] <= 0 else float(times[-1])
    scaled, middle = times / end, float(np.median(times[events])) / end
    shares = np.array([0.0, 0.3, 0.6, 0.9] if delayed else [0.0])
    starts = np.stack([shares * middle, np.log((1 - shares) * middle)], axis=1)
    fits, costs = _minimise(scaled, whole.repeat(len(starts), axis=0), starts, delayed=delayed)
    best = fits[[int(costs.argmin())]]
    drawn = np.concatenate(
        [
            _minimise(
                scaled,
                weighted_survival(events, weights),
                best.repeat(len(weights), axis=0),
                delayed=delayed,
            )[0]
            for weights in resampled(len(times), generator, resamples)
        ]
    )
    delay, constant = float(best[0, 0]) * end, float(np.exp(best[0, 1])) * end
    delays, constants = drawn[:, 0] * end, np.exp(drawn[:, 1]) * end
    constants[constants > 0.99 * _ENDLESS * end] = np.inf

    def estimate(value: float, values: Float[np.ndarray, " sample"]) -> Estimate:
        lower, upper = percentiles(values, confidence)
        return Estimate(value_fs=value, lower_fs=lower, upper_fs=upper)

    before_and_after = np.stack([np.append(1.0, whole[0, :-1]), whole[0]])
    return DecayFit(
        delay=estimate(delay, delays),
        constant=estimate(constant, constants),
        lifetime=estimate(delay + constant, delays + constants),
        misfit=float(np.abs(before_and_after - exponential(times, delay, constant)).max()),
        extrapolated=delay + constant > end,
    )


def exponential(
    times: Float[np.ndarray, " time"], delay: float, constant: float
) -> Float[np.ndarray, " time"]:
    """Return f(t) at times in the unit of ``delay`` and ``constant``."""
    late: Float[np.ndarray, " time"] = np.exp(-np.maximum(times - delay, 0) / constant)
    return late


def _minimise(
    times: Float[np.ndarray, " traj"],
    survival: Float[np.ndarray, "sample traj"],
    start: Float[np.ndarray, "sample 2"],
    *,
    delayed: bool,
) -> tuple[Float[np.ndarray, "sample 2"], Float[np.ndarray, " sample"]]:
    """Levenberg–Marquardt for t₀ and ln τ of many curves at once, in units of T; and their costs.

    ``survival[:, i]`` holds from ``times[i]`` on; before the first time it is one.
    """
    knots = np.append(times, 1.0)
    weights = np.concatenate([-np.diff(survival, axis=1, prepend=1.0), survival[:, -1:]], axis=1)
    low = np.array([0.0, np.log(_SHORTEST)])
    high = np.array([1.0 if delayed else 0.0, np.log(_ENDLESS)])
    found = np.clip(start, low, high)
    cost, gradient, curvature = _squares(knots, weights, found)
    damping = np.full((len(found), 1), 1e-3)
    for _ in range(_ITERATIONS):
        outward = ((found <= low) & (gradient > 0)) | ((found >= high) & (gradient < 0))
        matrix = curvature + damping[..., None] * np.einsum("sij,ij->sij", curvature, np.eye(2))
        matrix = np.where(outward[:, :, None] | outward[:, None, :], 0.0, matrix)
        matrix += np.eye(2) * np.where(outward, 1.0, 1e-14)[:, None, :]
        step = -np.linalg.solve(matrix, np.where(outward, 0.0, gradient)[..., None])[..., 0]
        tried = np.clip(found + step, low, high)
        new_cost, new_gradient, new_curvature = _squares(knots, weights, tried)
        better = (new_cost <= cost)[:, None]
        moved = float(np.abs(tried - found).max())
        found = np.where(better, tried, found)
        cost = np.where(better[:, 0], new_cost, cost)
        gradient = np.where(better, new_gradient, gradient)
        curvature = np.where(better[..., None], new_curvature, curvature)
        damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-9, 1e9)
        if moved < 1e-9:
            break
    return found, cost


def _squares(
    knots: Float[np.ndarray, " knot"],
    weights: Float[np.ndarray, "sample knot"],
    parameters: Float[np.ndarray, "sample 2"],
) -> tuple[
    Float[np.ndarray, " sample"], Float[np.ndarray, "sample 2"], Float[np.ndarray, "sample 2 2"]
]:
    """C less its constant, its gradient by t₀ and ln τ, and 2 ∫ ∇f ∇fᵀ, with T = 1 = last knot."""
    delay, constant = parameters[:, :1], np.exp(parameters[:, 1:])
    late = np.maximum(knots - delay, 0.0) / constant
    fall = np.exp(-late)
    area = np.minimum(knots, delay) + constant * (1 - fall)  # F
    by_delay, by_log = 1 - fall, constant * (1 - fall - late * fall)  # its derivatives
    t0, tau = delay[:, 0], constant[:, 0]
    x, square = late[:, -1], fall[:, -1] ** 2
    first, second = 1 - square * (1 + 2 * x), 1 - square * (1 + 2 * x + 2 * x**2)
    cost = t0 + tau / 2 * (1 - square) - 2 * (weights * area).sum(axis=1)
    gradient = np.stack(
        [
            1 - square - 2 * (weights * by_delay).sum(axis=1),
            tau * (first / 2) - 2 * (weights * by_log).sum(axis=1),
        ],
        axis=1,
    )
    mixed = first / 2
    curvature = np.stack([(1 - square) / tau, mixed, mixed, tau / 2 * second], axis=1)
    return cost, gradient, curvature.reshape(-1, 2, 2)

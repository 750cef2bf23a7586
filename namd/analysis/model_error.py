"""What of an ensemble's result is chance, and what is the model: runs on several models, pooled.

Models of one committee learned from the same data and differ by chance alone; each runs
trajectories of its own. Their results scatter because trajectories are few (sampling) and because
the models differ (model error)::

    y_k = μ + m_k + e_k,   var m = τ²,   var e_k = v_k

v_k is known from the trajectories, τ² is not. All that is said of it comes from one function,
Q(τ²) = Σ (y_k − ȳ)²/(v_k + τ²) with ȳ the mean weighted by 1/(v_k + τ²), which falls with τ² and is
distributed as χ² with K − 1 degrees of freedom: its mean gives the estimate, its quantiles the ends
of the interval (zero where Q is below even at τ = 0).

References
----------
Estimate: R. C. Paule, J. Mandel, J. Res. Natl. Bur. Stand. 87 (1982) 377, DOI 10.6028/jres.087.022;
interval of τ: W. Viechtbauer, Stat. Med. 26 (2007) 37, DOI 10.1002/sim.2514; interval of μ:
J. Hartung, G. Knapp, Stat. Med. 20 (2001) 1771, DOI 10.1002/sim.791, never narrower than with the
known errors: C. Röver, G. Knapp, T. Friede, BMC Med. Res. Methodol. 15 (2015) 99,
DOI 10.1186/s12874-015-0091-1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import chdtri, ndtri, stdtrit

from namd.analysis.intervals import CONFIDENCE, wilson
from namd.analysis.survival import Estimate


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """One quantity of several models.

    Parameters
    ----------
    values
        Of every model.
    mean, lower, upper
        Over models, with the 95 % interval in which both sources of error are.
    sampling
        Standard error of the mean that trajectories alone would cause.
    between, between_lower, between_upper
        Standard deviation τ between models, with its 95 % interval.

    ``sampling`` and ``between`` are NaN where they cannot be told.
    """

    values: tuple[float, ...]
    mean: float
    lower: float
    upper: float
    sampling: float
    between: float
    between_lower: float
    between_upper: float


def pool_shares(counts: Sequence[int], totals: Sequence[int]) -> Pooled:
    """Pool fractions of trajectories: v_k = p(1 − p)/n_k with p of all runs together.

    Where none or all of the trajectories of all runs fell into the class nothing scatters, and
    nothing can be said of its sources (NaN): the interval is Wilson's for all trajectories
    together. No end leaves 0 … 1.

    Raises
    ------
    ValueError
        If there are fewer than two runs.
    """
    count, total = int(np.sum(counts)), int(np.sum(totals))
    p = count / total
    values = np.divide(counts, totals)
    if count in {0, total}:
        lower, upper = (float(end) for end in wilson(np.array(count), np.array(total)))
        return Pooled(
            values=tuple(values.tolist()),
            mean=p,
            lower=lower,
            upper=upper,
            sampling=np.nan,
            between=np.nan,
            between_lower=np.nan,
            between_upper=np.nan,
        )
    return pool(values, p * (1 - p) / np.asarray(totals), low=0.0, high=1.0)


def pool_estimates(estimates: Sequence[Estimate]) -> Pooled | None:
    """Pool lifetimes, with v_k from the widths of their intervals, as if these were normal.

    Returns
    -------
    Pooled or None
        None if the interval of one is open.

    Raises
    ------
    ValueError
        If there are fewer than two runs.
    """
    values = np.array([each.value_fs for each in estimates])
    widths = np.array([each.upper_fs - each.lower_fs for each in estimates])
    if not (np.isfinite(widths).all() and np.isfinite(values).all()):
        return None
    errors = widths / (2 * ndtri(0.5 + CONFIDENCE / 2))
    return pool(values, np.maximum(errors, 1e-9) ** 2, low=0.0)


def pool(
    values: Float[np.ndarray, " run"],
    variances: Float[np.ndarray, " run"],
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> Pooled:
    """Pool values of any kind.

    Parameters
    ----------
    values
        Of at least two runs.
    variances
        What chance alone makes of each, positive.
    low, high
        Ends that the interval does not leave.

    Raises
    ------
    ValueError
        If there are fewer than two runs.
    """
    runs = len(values)
    if runs < 2:
        raise ValueError("expected the values of two runs at least")
    tail = (1 - CONFIDENCE) / 2
    between = _root(values, variances, float(runs - 1))
    weights = 1 / (variances + between)
    mean = float(weights @ values / weights.sum())
    # Few models may agree better than chance allows: their scatter does not narrow the interval.
    scatter = max(1.0, float(weights @ (values - mean) ** 2) / (runs - 1))
    half = float(stdtrit(runs - 1, 1 - tail)) * float(np.sqrt(scatter / weights.sum()))
    return Pooled(
        values=tuple(values.tolist()),
        mean=mean,
        lower=max(low, mean - half),
        upper=min(high, mean + half),
        sampling=float(np.sqrt((weights**2 @ variances) / weights.sum() ** 2)),
        between=float(np.sqrt(between)),
        between_lower=float(np.sqrt(_root(values, variances, float(chdtri(runs - 1, tail))))),
        between_upper=float(np.sqrt(_root(values, variances, float(chdtri(runs - 1, 1 - tail))))),
    )


def _root(
    values: Float[np.ndarray, " run"], variances: Float[np.ndarray, " run"], target: float
) -> float:
    """Solve Q(τ²) = target for τ² ≥ 0; zero if Q is smaller everywhere."""

    def excess(square: float) -> float:
        weights = 1 / (variances + square)
        mean = weights @ values / weights.sum()
        return float(weights @ (values - mean) ** 2) - target

    if excess(0.0) <= 0:
        return 0.0
    # Q(τ²) is below Σ(y − ȳ)²/τ², so that the root is below Σ(y − ȳ)²/target.
    highest = float(((values - values.mean()) ** 2).sum()) / target
    return float(brentq(excess, 0.0, highest, xtol=1e-14 * highest, rtol=1e-12))

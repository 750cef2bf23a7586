r"""Deviations beside the errors they stand for: one factor that fits them, and how well it does.

*Factor.* Errors e and deviations σ over M members fit where their mean squares do:

.. math:: s^2 = \sum_n e_n^2 \Big/ \sum_n \sigma_n^2

Unlike the mean of :math:`e^2/\sigma^2` this ratio has no bias where members are few (σ² is an
unbiased estimate, 1/σ² is not; G. Imbalzano et al., J. Chem. Phys. 154, 074102 (2021),
doi:10.1063/5.0036522, correct for it).

*Score.* With normal errors of variance (sσ_true)² and σ estimated from M members, e/(sσ) follows
Student's t distribution with ν = M − 1 degrees of freedom, the normal one for ν = ∞. The mean
negative logarithm of its density is a proper score: no other distribution of the errors is given a
lower one.

*Reliability.* In bins of equal count by σ, the root mean square of e against that of sσ; the mean
of their relative difference is the expected normalised calibration error (D. Levi et al., Sensors
22, 5540 (2022), doi:10.3390/s22155540).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

BINS = 10


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Errors of like deviation.

    Parameters
    ----------
    predicted, true
        Root mean squares of deviations and of errors.
    count
        How many.
    """

    predicted: float
    true: float
    count: int


def root_mean_square(values: Float[np.ndarray, "*any"]) -> float:
    """√⟨x²⟩; NaN of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else float("nan")


def known(
    error: Float[np.ndarray, "*any"], deviation: Float[np.ndarray, "*any"]
) -> tuple[Float[np.ndarray, " value"], Float[np.ndarray, " value"]]:
    """Flat, without unknown errors (NaN) and without deviations that are zero."""
    error, deviation = np.ravel(error), np.ravel(deviation)
    there = np.isfinite(error) & (deviation > 0)
    return error[there], deviation[there]


def fit_scale(
    error: Float[np.ndarray, "*any"], deviation: Float[np.ndarray, "*any"]
) -> float | None:
    """Factor s of the deviations; None where all of them, or all errors, vanish.

    Parameters
    ----------
    error
        Predicted less true; unknown ones (NaN) are left out.
    deviation
        Of every prediction, in the same unit.

    Examples
    --------
    >>> fit_scale(np.array([2.0, -4.0]), np.array([1.0, 2.0]))
    2.0
    """
    e, sigma = known(error, deviation)
    if not e.size or not e.any():
        return None
    return root_mean_square(e) / root_mean_square(sigma)


def negative_log_likelihood(
    error: Float[np.ndarray, "*any"],
    deviation: Float[np.ndarray, "*any"],
    *,
    freedom: float = np.inf,
) -> float | None:
    """Mean −ln p(e | sσ) of Student's t distribution, in nats per value; None of nothing.

    Parameters
    ----------
    error, deviation
        As for :func:`fit_scale`; the deviation scaled.
    freedom
        ν; infinite for the normal distribution.
    """
    e, sigma = known(error, deviation)
    if not e.size:
        return None
    squares = np.square(e / sigma)
    if np.isinf(freedom):
        terms = 0.5 * squares + 0.5 * np.log(2.0 * np.pi)
    else:
        norm = gammaln(0.5 * freedom) - gammaln(0.5 * (freedom + 1)) + 0.5 * np.log(np.pi * freedom)
        terms = 0.5 * (freedom + 1) * np.log1p(squares / freedom) + norm
    return float(np.mean(terms + np.log(sigma)))


def reliability_bins(
    error: Float[np.ndarray, "*any"], deviation: Float[np.ndarray, "*any"], *, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Root mean squares of error and deviation in bins of equal count, by rising deviation."""
    e, sigma = known(error, deviation)
    parts = np.array_split(np.argsort(sigma, kind="stable"), min(bins, max(1, e.size)))
    return tuple(
        ReliabilityBin(
            predicted=root_mean_square(sigma[part]), true=root_mean_square(e[part]), count=len(part)
        )
        for part in parts
        if len(part)
    )


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float | None:
    """Mean of |predicted − true|/predicted over the bins; None without any."""
    if not bins:
        return None
    return float(np.mean([abs(each.predicted - each.true) / each.predicted for each in bins]))

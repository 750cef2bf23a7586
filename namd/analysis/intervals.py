"""Intervals of counts: Wilson's for a fraction, Garwood's for a Poisson count.

Both stay inside the possible range and mean something at zero counts, where the usual
"p ± standard error" collapses to a point.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaincinv, ndtri

CONFIDENCE = 0.95


def wilson(
    count: Int[np.ndarray, "*shape"],
    total: Int[np.ndarray, "*shape"],
    *,
    confidence: float = CONFIDENCE,
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Wilson score interval of a binomial fraction.

    With p = k/n and z the normal quantile::

        (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)

    Parameters
    ----------
    count
        Successes k.
    total
        Trials n; where it is 0 nothing is known and the interval is 0 … 1.
    confidence
        Two-sided coverage.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper ends, 0 ≤ lower ≤ k/n ≤ upper ≤ 1.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927), doi:10.1080/01621459.1927.10502953;
    recommended over p ± s.e. by L. D. Brown, T. T. Cai, A. DasGupta, Stat. Sci. 16, 101 (2001),
    doi:10.1214/ss/1009213286, eq. 4.

    Examples
    --------
    >>> low, high = wilson(np.array([5]), np.array([10]))
    >>> f"{low[0]:.4f} {high[0]:.4f}"
    '0.2366 0.7634'
    """
    z = ndtri(0.5 + confidence / 2)
    n = np.maximum(total, 1)
    p = count / n
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    # The ends are exactly 0 and 1 at k = 0 and k = n; rounding must not say otherwise.
    lower = np.where(count == 0, 0.0, np.clip((centre - half) / scale, 0.0, p))
    upper = np.where(count == total, 1.0, np.clip((centre + half) / scale, p, 1.0))
    return np.where(total == 0, 0.0, lower), np.where(total == 0, 1.0, upper)


def garwood(count: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval of the mean of a Poisson distribution from one observed count.

    Parameters
    ----------
    count
        Observed events k.
    confidence
        Two-sided coverage (at least).

    Returns
    -------
    tuple of float
        χ²₂ₖ(α/2)/2 and χ²₂ₖ₊₂(1−α/2)/2 with α = 1 − confidence.

    References
    ----------
    F. Garwood, Biometrika 28, 437 (1936), doi:10.1093/biomet/28.3-4.437.
    """
    tail = (1 - confidence) / 2
    lower = float(gammaincinv(count, tail)) if count else 0.0
    return lower, float(gammaincinv(count + 1, 1 - tail))

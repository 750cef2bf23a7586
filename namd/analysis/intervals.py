"""Intervals of counts: Wilson's for a fraction, Newcombe's for a difference, Garwood's for Poisson.

Both stay inside the possible range and mean something at zero counts, where the usual
"p ± standard error" collapses to a point.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
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


def newcombe(
    first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " m"], *, paired: bool
) -> tuple[float, float]:
    r"""95 % interval of the difference of two fractions, p₂ − p₁, made of their Wilson intervals.

    With l and u the ends of the Wilson intervals,

    .. math::

        d - \sqrt{(p_2-l_2)^2 - 2\varphi (p_2-l_2)(u_1-p_1) + (u_1-p_1)^2} \;\ldots\;
        d + \sqrt{(u_2-p_2)^2 - 2\varphi (u_2-p_2)(p_1-l_1) + (p_1-l_1)^2}

    where φ = 0 for independent samples; for pairs φ is the correlation of the two outcomes, taken
    towards zero by n/2 in its numerator when it is positive.

    Parameters
    ----------
    first, second
        Whether each trajectory has the outcome.
    paired
        Entry i of both belongs together.

    References
    ----------
    R. G. Newcombe, Stat. Med. 17 (1998) 873 (independent, method 10),
    DOI 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, and 2635 (pairs, method
    10), DOI 10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C.

    Examples
    --------
    >>> low, high = newcombe(np.arange(80) < 48, np.arange(70) < 56, paired=False)
    >>> f"{low:.4f} {high:.4f}"
    '0.0524 0.3339'
    """
    p1, p2 = first.mean(), second.mean()
    l1, u1 = (float(end) for end in wilson(np.array(first.sum()), np.array(len(first))))
    l2, u2 = (float(end) for end in wilson(np.array(second.sum()), np.array(len(second))))
    phi = _correlation(first, second) if paired else 0.0
    below = (p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2
    above = (u2 - p2) ** 2 - 2 * phi * (u2 - p2) * (p1 - l1) + (p1 - l1) ** 2
    difference = p2 - p1
    return float(difference - np.sqrt(max(below, 0.0))), float(
        difference + np.sqrt(max(above, 0.0))
    )


def _correlation(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> float:
    """φ of a table of pairs, shrunk as Newcombe does; 0 where a margin is empty."""
    n = len(first)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    only = int((first & ~second).sum()), int((~first & second).sum())
    margins = float(first.sum()) * (n - first.sum()) * second.sum() * (n - second.sum())
    if margins == 0:
        return 0.0
    numerator = both * neither - only[0] * only[1]
    if numerator > 0:
        return float(max(numerator - n / 2, 0.0) / np.sqrt(margins))
    return float(numerator / np.sqrt(margins))


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

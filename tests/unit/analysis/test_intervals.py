"""Wilson's and Garwood's intervals against published numbers, limits and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.analysis.intervals import garwood, wilson


@pytest.mark.parametrize(
    ("count", "total", "lower", "upper"),
    [
        # R. G. Newcombe, Stat. Med. 17, 857 (1998), table I, method 3 (score, no correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_intervals(
    count: int, total: int, lower: float, upper: float
) -> None:
    low, high = wilson(np.array(count), np.array(total))
    assert float(low) == pytest.approx(lower, abs=5e-5)
    assert float(high) == pytest.approx(upper, abs=5e-5)


def test_wilson_at_one_half_is_analytic() -> None:
    # p = ½: half-width z / (2 √(n + z²)).
    n, z = 100, 1.959963984540054
    low, high = wilson(np.array(50), np.array(n))
    assert float(high - low) / 2 == pytest.approx(z / (2 * np.sqrt(n + z**2)), rel=1e-12)
    assert float(high + low) / 2 == pytest.approx(0.5)


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_wilson_holds_the_fraction_and_is_symmetric(count: int, total: int) -> None:
    count = min(count, total)
    low, high = wilson(np.array(count), np.array(total))
    assert 0 <= low <= count / total <= high <= 1
    mirrored = wilson(np.array(total - count), np.array(total))
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_of_nothing_is_everything() -> None:
    low, high = wilson(np.array([0, 3]), np.array([0, 3]))
    assert (low[0], high[0]) == (0, 1)
    assert high[1] == 1


def test_wilson_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(20)
    for p, n in ((0.5, 100), (0.3, 200), (0.04, 200)):
        counts = generator.binomial(n, p, size=20_000)
        low, high = wilson(counts, np.full(20_000, n))
        assert 0.925 < np.mean((low <= p) & (p <= high)) < 0.98


@pytest.mark.parametrize(
    ("count", "lower", "upper"),
    # F. Garwood (1936); also in every table of exact Poisson limits.
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.390), (50, 37.11, 65.92)],
)
def test_garwood_gives_the_tabulated_limits(count: int, lower: float, upper: float) -> None:
    assert garwood(count) == pytest.approx((lower, upper), rel=1e-3, abs=1e-4)

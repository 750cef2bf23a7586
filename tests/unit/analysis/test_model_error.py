"""Chance and model taken apart: closed forms, a published example, coverage."""

import numpy as np
import pytest
from scipy.stats import chi2
from scipy.stats import t as student

from namd.analysis.intervals import wilson
from namd.analysis.model_error import pool, pool_estimates, pool_shares
from namd.analysis.survival import Estimate

# Thirteen trials of the BCG vaccine: ill and well with it, ill and well without it (G. A. Colditz
# et al., JAMA 271 (1994) 698; H. C. van Houwelingen et al., Stat. Med. 21 (2002) 589, table I).
BCG = """4 119 11 128  6 300 29 274  3 228 11 209  62 13536 248 12619  33 5036 47 5761
180 1361 372 1079  8 2537 10 619  505 87886 499 87892  29 7470 45 7232  17 1699 65 1600
186 50448 141 27197  5 2493 3 2338  27 16886 29 17825"""


def test_runs_of_equal_size_have_closed_forms() -> None:
    values, variance = np.array([0.2, 0.5, 0.7, 0.9]), 0.01
    found = pool(values, np.full(4, variance))
    squares = float(((values - values.mean()) ** 2).sum())
    assert found.mean == pytest.approx(values.mean())
    assert found.between**2 == pytest.approx(squares / 3 - variance)
    assert found.between_lower**2 == pytest.approx(squares / chi2.ppf(0.975, 3) - variance)
    assert found.between_upper**2 == pytest.approx(squares / chi2.ppf(0.025, 3) - variance)
    assert found.sampling == pytest.approx((variance / 4) ** 0.5)
    half = student.ppf(0.975, 3) * (squares / 3 / 4) ** 0.5
    assert (found.lower, found.upper) == pytest.approx((values.mean() - half, values.mean() + half))


def test_a_published_example() -> None:
    """Log odds ratios of the trials: 95 % interval of τ² 0.1302 … 1.1812 by the same method.

    As W. Viechtbauer gives it for van Houwelingen's data (metafor-project.org, analyses), whose
    roots are found to 1e-4.
    """
    a, b, c, d = np.array(BCG.split(), dtype=float).reshape(-1, 4).T
    found = pool(np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d)
    assert found.between_lower**2 == pytest.approx(0.1302, abs=2e-4)
    assert found.between_upper**2 == pytest.approx(1.1812, abs=2e-4)


def test_runs_that_agree_have_no_model_error_but_that_of_chance() -> None:
    found = pool_shares([50, 50, 50], [100, 100, 100])
    assert found.between == found.between_lower == found.between_upper == 0
    assert found.sampling == pytest.approx((0.25 / 300) ** 0.5)
    assert found.upper - found.mean == pytest.approx(student.ppf(0.975, 2) * found.sampling)


def test_a_class_that_never_occurs_has_the_interval_of_all_trajectories() -> None:
    found = pool_shares([0, 0], [30, 70])
    assert (found.mean, found.lower) == (0, 0)
    assert np.isnan([found.sampling, found.between, found.between_upper]).all()  # not: are zero
    assert found.upper == pytest.approx(float(wilson(np.array(0), np.array(100))[1]))


def test_no_interval_of_a_share_leaves_its_range() -> None:
    found = pool_shares([1, 9], [10, 10])
    assert (found.lower, found.upper) == (0, 1)


def test_lifetimes_are_weighted_by_their_intervals() -> None:
    sharp = Estimate(value_fs=200.0, lower_fs=199.0, upper_fs=201.0)
    vague = Estimate(value_fs=201.0, lower_fs=101.0, upper_fs=301.0)
    found = pool_estimates([sharp, vague])
    assert found is not None
    assert found.mean == pytest.approx(200.0, abs=0.001)
    assert found.between == 0
    open_end = Estimate(value_fs=200.0, lower_fs=190.0, upper_fs=np.inf)
    assert pool_estimates([sharp, open_end]) is None


def test_one_run_is_refused() -> None:
    with pytest.raises(ValueError, match="two runs"):
        pool_shares([1], [2])


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.2])
def test_intervals_cover_the_truth(spread: float) -> None:
    """Four models of 100 trajectories each, 400 times."""
    generator = np.random.default_rng(3)
    means = spreads = 0
    for _ in range(400):
        truth = np.clip(0.5 + spread * generator.normal(size=4), 0, 1)
        found = pool_shares(generator.binomial(100, truth).tolist(), [100] * 4)
        means += found.lower <= 0.5 <= found.upper
        spreads += found.between_lower <= spread <= found.between_upper
    # Three deviations below 380; the mean is covered more often where chance outweighs the models.
    assert means >= 367
    assert spreads >= 367

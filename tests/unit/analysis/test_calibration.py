"""Deviations beside errors: factors that are known are found, scores are those of their laws."""

import numpy as np
import pytest
from scipy import stats

from namd.analysis.calibration import (
    calibration_error,
    fit_scale,
    negative_log_likelihood,
    reliability_bins,
)


def drawn(members: int, *, factor: float, count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Errors ``factor`` times as large as deviations over members say, widths over two decades."""
    rng = np.random.default_rng(members)
    width = 10.0 ** rng.uniform(-2, 0, count)
    deviation = (width[:, None] * rng.standard_normal((count, members))).std(1, ddof=1)
    return factor * width * rng.standard_normal(count), deviation


@pytest.mark.parametrize("members", [2, 3, 5, 20])
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_known_factor_is_recovered_however_few_the_members(members: int, factor: float) -> None:
    assert fit_scale(*drawn(members, factor=factor)) == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("members", [3, 5, 40])
def test_the_factor_lowers_both_scores(members: int) -> None:
    error, deviation = drawn(members, factor=4.0)
    scale = fit_scale(error, deviation)
    assert scale is not None
    freedom = members - 1.0
    before, after = (
        negative_log_likelihood(error, s * deviation, freedom=freedom) for s in (1.0, scale)
    )
    assert after < before - 0.1
    wrong = negative_log_likelihood(error, 2.0 * scale * deviation, freedom=freedom)
    assert after < wrong
    # What the members' number says of the tails is part of the law.
    assert after < negative_log_likelihood(error, scale * deviation)
    rough, fine = (calibration_error(reliability_bins(error, s * deviation)) for s in (1, scale))
    assert fine is not None
    assert rough is not None
    assert fine < 0.4 * rough
    if members == 40:  # of few, the smallest deviations are small by chance
        assert rough == pytest.approx(3.0, rel=0.1)
        assert fine < 0.1


def test_bins_of_a_true_law_lie_on_the_diagonal() -> None:
    rng = np.random.default_rng(1)
    deviation = 10.0 ** rng.uniform(-2, 0, 50_000)
    bins = reliability_bins(deviation * rng.standard_normal(50_000), deviation)
    assert len(bins) == 10
    assert sum(each.count for each in bins) == 50_000
    assert [each.predicted for each in bins] == sorted(each.predicted for each in bins)
    for each in bins:
        assert each.true == pytest.approx(each.predicted, rel=0.04)


@pytest.mark.parametrize("freedom", [1.0, 4.0, np.inf])
def test_the_score_is_the_density_of_scipy(freedom: float) -> None:
    rng = np.random.default_rng(2)
    error, deviation = rng.standard_normal((4, 3)), rng.uniform(0.5, 2.0, (4, 3))
    law = stats.norm if np.isinf(freedom) else stats.t(freedom)
    expected = -np.mean(law.logpdf(error / deviation) - np.log(deviation))
    found = negative_log_likelihood(error, deviation, freedom=freedom)
    assert found == pytest.approx(expected, rel=1e-12)


def test_unknown_errors_and_vanishing_deviations_say_nothing() -> None:
    error = np.array([[2.0, np.nan], [-4.0, 5.0]])
    deviation = np.array([[1.0, 1.0], [2.0, 0.0]])
    assert fit_scale(error, deviation) == 2.0
    assert fit_scale(error, np.zeros((2, 2))) is None
    assert fit_scale(np.zeros(2), np.ones(2)) is None
    assert negative_log_likelihood(error, np.zeros((2, 2))) is None
    assert calibration_error(reliability_bins(np.zeros(0), np.zeros(0))) is None

"""Fitted lifetimes: exact curves, the integral against quadrature, censoring, units."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad

from namd.analysis.decay_fit import DecayFit, _squares, exponential, fit_decay


def fitted(
    duration: np.ndarray,
    decayed: np.ndarray,
    *,
    delayed: bool = True,
    observed: float = 0.0,
    resamples: int = 300,
) -> DecayFit:
    found = fit_decay(
        duration,
        decayed,
        observed_fs=observed,
        delayed=delayed,
        generator=np.random.default_rng(0),
        resamples=resamples,
    )
    assert found is not None
    return found


def even_sample(number: int, delay: float, constant: float) -> np.ndarray:
    """Times at the middle quantiles of the delayed exponential: its curve, as near as steps can."""
    middle = (np.arange(number) + 0.5) / number
    return np.asarray(delay - constant * np.log(1 - middle))


@pytest.mark.parametrize(("delay", "constant"), [(150.0, 200.0), (0.0, 300.0), (400.0, 20.0)])
def test_the_exact_curve_gives_its_own_constants(delay: float, constant: float) -> None:
    times = even_sample(4000, delay, constant)
    fit = fitted(times, np.ones(4000, bool), observed=5000.0, resamples=20)
    assert fit.delay.value_fs == pytest.approx(delay, abs=0.01 * constant)
    assert fit.constant.value_fs == pytest.approx(constant, rel=0.01)
    assert fit.lifetime.value_fs == pytest.approx(delay + constant, rel=0.005)
    assert fit.misfit < 0.005
    assert not fit.extrapolated


def test_costs_and_their_derivatives_are_those_of_the_integral() -> None:
    """C of the module's head by quadrature; gradient and ∫∇f∇fᵀ by central differences."""
    times, survival = np.array([0.2, 0.35, 0.6]), np.array([0.7, 0.4, 0.1])
    knots, weights = np.append(times, 1.0), np.array([[0.3, 0.3, 0.3, 0.1]])
    at, step = np.array([0.25, np.log(0.4)]), 1e-5

    def curve(t: float) -> float:
        return float(np.append(1.0, survival)[np.searchsorted(times, t, side="right")])

    def f(t: float, point: np.ndarray) -> float:
        return float(exponential(np.array([t]), point[0], np.exp(point[1]))[0])

    def integral(function: Callable[[float], float], edge: float) -> float:
        return float(quad(function, 0, 1, points=[*times, edge], epsabs=1e-12, limit=200)[0])

    def cost(point: np.ndarray) -> float:
        return integral(lambda t: f(t, point) ** 2 - 2 * curve(t) * f(t, point), point[0])

    def slope(k: int, function: Callable[[np.ndarray], float]) -> float:
        move = step * np.eye(2)[k]
        return (function(at + move) - function(at - move)) / (2 * step)

    found, gradient, curvature = _squares(knots, weights, at[None])
    assert found[0] == pytest.approx(cost(at), abs=1e-9)
    for k in range(2):
        assert gradient[0, k] == pytest.approx(slope(k, cost), abs=1e-6)

    def product(j: int, k: int, t: float) -> float:
        return slope(j, lambda point: f(t, point)) * slope(k, lambda point: f(t, point))

    for j in range(2):
        for k in range(2):
            expected = 2 * integral(lambda t, j=j, k=k: product(j, k, t), at[0])  # type: ignore[misc]
            assert curvature[0, j, k] == pytest.approx(expected, abs=1e-4)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """60 samples of 150, many of them censored: 95 % intervals, so 50 of 60 at the very least."""
    random, held = np.random.default_rng(3), np.zeros(3, int)
    for _ in range(60):
        life, end = 100 + random.exponential(200, 150), random.uniform(150, 600, 150)
        fit = fitted(np.minimum(life, end), life <= end)
        truths = zip((fit.delay, fit.constant, fit.lifetime), (100, 200, 300), strict=True)
        held += [estimate.lower_fs <= truth <= estimate.upper_fs for estimate, truth in truths]
    assert (held >= 50).all(), held


def test_without_a_delay_a_delayed_decay_misfits() -> None:
    times, decayed = even_sample(500, 300, 50), np.ones(500, bool)
    bare = fitted(times, decayed, delayed=False, observed=900.0)
    assert (bare.delay.value_fs, bare.delay.lower_fs, bare.delay.upper_fs) == (0, 0, 0)
    assert bare.lifetime == bare.constant
    assert bare.misfit > 0.3
    assert fitted(times, decayed, observed=900.0).misfit < 0.02


def test_the_unit_of_time_does_not_matter() -> None:
    times = np.random.default_rng(4).gamma(4, 60, 80)
    first, second = (fitted(times * unit, times < 400) for unit in (1.0, 41.34))
    for name in ("delay", "constant", "lifetime"):
        for end in ("value_fs", "lower_fs", "upper_fs"):
            expected = 41.34 * getattr(getattr(first, name), end)
            assert getattr(getattr(second, name), end) == pytest.approx(expected, rel=1e-6)


def test_what_was_not_observed_is_said() -> None:
    life = np.random.default_rng(5).exponential(2000, 200)
    duration, decayed = np.minimum(life, 500), life <= 500
    fit = fitted(duration, decayed, delayed=False)
    assert fit.extrapolated
    assert fit.constant.lower_fs < 2000 < fit.constant.upper_fs


def test_a_fit_asks_for_ten_decays() -> None:
    duration = np.linspace(100, 500, 200)
    for number in (9, 10):
        fit = fit_decay(
            duration,
            np.arange(200) < number,
            observed_fs=500.0,
            delayed=True,
            generator=np.random.default_rng(0),
            resamples=10,
        )
        assert (fit is None) == (number < 10)


def test_time_after_the_last_decay_counts() -> None:
    """All have decayed by 300: that none is left until 3000 shortens the constant."""
    times, decayed = np.linspace(100, 300, 50), np.ones(50, bool)
    short, long = (fitted(times, decayed, observed=until) for until in (300.0, 3000.0))
    assert long.constant.value_fs < short.constant.value_fs

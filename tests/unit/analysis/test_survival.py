"""Kaplan–Meier, its median and the bootstrap against hand-made and synthetic samples."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.analysis.survival import (
    SurvivalTimes,
    bootstrap_median,
    kaplan_meier,
    median_survival,
    survival_times,
    time_per_decay,
)
from namd.io.ensemble import read_ensemble

EVENTS = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=30)


def test_a_sample_worked_by_hand() -> None:
    # Times 1, 2+, 3, 3, 4+, 5 (+: censored), six trajectories:
    # S(1) = 5/6, S(3) = 5/6 · 2/4 = 5/12, S(5) = 5/12 · 0/1 = 0.
    duration = np.array([1.0, 2, 3, 3, 4, 5])
    decayed = np.array([True, False, True, True, False, True])
    times, survival = kaplan_meier(duration, decayed)
    assert times.tolist() == [1, 3, 5]
    assert survival == pytest.approx([5 / 6, 5 / 12, 0])
    assert median_survival(duration, decayed) == 3


def test_a_trajectory_censored_at_a_decay_is_still_at_risk_there() -> None:
    _, survival = kaplan_meier(np.array([1.0, 1, 2]), np.array([True, False, True]))
    assert survival == pytest.approx([2 / 3, 0])


def test_freireichs_leukaemia_data() -> None:
    """6-mercaptopurine arm, 21 patients: S and median in every textbook on survival.

    E. J. Freireich et al., Blood 21, 699 (1963); S(6) = 0.857, S(13) = 0.690, S(23) = 0.448.
    """
    event = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    duration = np.array(event + censored, dtype=float)
    decayed = np.array([True] * len(event) + [False] * len(censored))
    times, survival = kaplan_meier(duration, decayed)
    found = dict(zip(times.tolist(), survival.tolist(), strict=True))
    assert [found[t] for t in (6, 13, 23)] == pytest.approx([0.857, 0.690, 0.448], abs=5e-4)
    assert median_survival(duration, decayed) == 23


@given(EVENTS)
def test_the_median_is_where_the_curve_first_falls_to_half(events: list[tuple[int, bool]]) -> None:
    duration = np.array([float(t) for t, _ in events])
    decayed = np.array([d for _, d in events])
    times, survival = kaplan_meier(duration, decayed)
    below = times[survival <= 0.5 + 1e-12]
    expected = below[0] if len(below) else np.inf
    assert median_survival(duration, decayed) == expected


def test_without_censoring_survival_is_the_plain_fraction() -> None:
    duration = np.random.default_rng(1).permutation(np.arange(1.0, 11.0))
    _, survival = kaplan_meier(duration, np.ones(10, dtype=bool))
    assert survival == pytest.approx(1 - np.arange(1, 11) / 10)


def test_censored_exponentials_recover_their_lifetime() -> None:
    """Forty samples of 2000: the mean is known to 1.1 fs (median) and 1.2 fs (time per decay)."""
    tau, n = 300.0, 2000
    generator = np.random.default_rng(5)
    medians, rates, naive = [], [], []
    for _ in range(40):
        life, end = generator.exponential(tau, n), generator.uniform(100, 900, n)
        duration, decayed = np.minimum(life, end), life <= end
        medians.append(median_survival(duration, decayed))
        naive.append(np.median(duration[decayed]))
        never = np.zeros(n, dtype=bool)
        rate = time_per_decay(
            SurvivalTimes(state="S1", duration_fs=duration, decayed=decayed, parked=never)
        )
        assert rate is not None
        rates.append(rate.value_fs)
    assert np.mean(medians) == pytest.approx(tau * np.log(2), abs=4.5)
    assert np.mean(rates) == pytest.approx(tau, abs=5)
    # Dropping the censored ones would be wrong, and these samples can tell.
    assert np.mean(naive) < 0.9 * tau * np.log(2)


def test_the_bootstrap_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    inside = 0
    for _ in range(150):
        duration = generator.exponential(1.0, 60)
        estimate = bootstrap_median(
            duration, np.ones(60, dtype=bool), generator=generator, resamples=300
        )
        assert estimate is not None
        inside += estimate.lower_fs <= np.log(2) <= estimate.upper_fs
    assert 0.88 < inside / 150 <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    duration = np.random.default_rng(2).exponential(1.0, 40)
    first, second = (
        bootstrap_median(duration, duration < 2, generator=np.random.default_rng(0))
        for _ in range(2)
    )
    assert first == second


def test_an_upper_end_that_is_not_reached_is_infinite() -> None:
    duration = np.array([1.0, 2, 3, 4, 5, 6, 6, 6, 6, 6])
    decayed = np.arange(10) < 5
    estimate = bootstrap_median(duration, decayed, generator=np.random.default_rng(0))
    assert estimate is not None
    assert estimate.value_fs == 5
    assert estimate.upper_fs == np.inf


def test_no_median_while_fewer_than_half_have_decayed() -> None:
    decayed = np.array([True, False, False])
    assert bootstrap_median(np.ones(3), decayed, generator=np.random.default_rng(0)) is None
    assert median_survival(np.empty(0), np.empty(0, dtype=bool)) == np.inf


def test_no_decay_gives_a_lower_bound_only() -> None:
    never = np.zeros(10, dtype=bool)
    times = SurvivalTimes(state="S1", duration_fs=np.full(10, 500.0), decayed=never, parked=never)
    rate = time_per_decay(times)
    assert rate is not None
    assert rate.lower_fs == pytest.approx(5000 / 3.689, rel=1e-3)
    assert rate.value_fs == rate.upper_fs == np.inf


def test_times_come_from_the_hops_and_ends_of_an_ensemble(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    # 0 decays, 1 decays, returns and decays again, 2 is parked, 3 is frustrated and stays,
    # 4 began in S0, 5 left the box (finished) while excited.
    active = [[1, 1, 1, 1, 0, 1], [0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 0, 1]]
    status = [[0] * 6, [0, 0, 0, 0, 0, 0], [1, 1, 2, 0, 1, 1]]
    hops = [
        (0, 7.0, 1, 0, True),
        (1, 4.0, 1, 0, True),
        (1, 5.0, 0, 1, True),
        (1, 9.5, 1, 0, True),
        (3, 3.0, 1, 0, False),
    ]
    path = write_ensemble(
        tmp_path / "e.h5",
        active_state=active,
        status=status,
        hops=hops,
        final_step=[40, 40, 33, 0, 40, 26],
    )
    times = survival_times(read_ensemble(path))
    assert times.state == "S1"
    assert times.duration_fs == pytest.approx([7, 4, 16.5, 20, 13])
    assert times.decayed.tolist() == [True, True, False, False, False]
    assert times.parked.tolist() == [False, False, True, False, False]


def test_a_killed_run_is_observed_up_to_its_last_active_frame(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    """The final records were never written: all of them still say active, step 0."""
    path = write_ensemble(
        tmp_path / "e.h5", active_state=np.ones((4, 2)), status=[[0, 0], [0, 0], [0, 2], [0, 2]]
    )
    import h5py

    with h5py.File(path, "r+") as file:
        file["final/status"][:] = 0
        file["final/step"][:] = 0
    times = survival_times(read_ensemble(path))
    assert times.duration_fs == pytest.approx([30, 10])
    assert times.parked.tolist() == [False, True]

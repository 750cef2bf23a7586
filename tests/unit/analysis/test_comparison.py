"""Ensembles beside each other: pairs, differences and their intervals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from namd.analysis.comparison import began_alike, compare
from namd.analysis.intervals import newcombe, wilson
from namd.analysis.survival import SurvivalTimes, bootstrap_difference
from namd.config.classes import AnalysisConfig
from namd.errors import DataError
from namd.io.ensemble import read_ensemble

BOHR = 0.529177210903
CLASSES = AnalysisConfig.model_validate(
    {
        "coordinates": [{"kind": "distance", "name": "bond", "atoms": [0, 1]}],
        "classes": [
            {"name": "bound", "bounds": [{"coordinate": "bond", "below_angstrom": 2}]},
            {"name": "apart", "bounds": [{"coordinate": "bond", "at_least_angstrom": 2}]},
        ],
    }
)
N = 40


@pytest.fixture
def make(write_ensemble: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write a run in which trajectory k decays at times[k] fs and ends bound or apart."""

    def write(name: str, *, times, apart, shift=0.0, **more) -> Path:
        active = np.ones((41, N), dtype=int)
        for k, time in enumerate(times):
            active[int(np.ceil(time / 10)) :, k] = 0
        positions = np.zeros((41, N, 2, 3))
        positions[:, :, 1, 0] = (1.0 + shift) / BOHR
        positions[-1, np.asarray(apart), 1, 0] = 3.0 / BOHR
        status = np.zeros((41, N), dtype=int)
        status[-1] = 1
        path = tmp_path / f"{name}.h5"
        write_ensemble(
            path,
            active_state=active,
            status=status,
            positions=positions,
            hops=[(k, time, 1, 0, True) for k, time in enumerate(times)],
            **more,
        )
        return path

    return write


def test_what_runs_that_began_alike_share_cancels(make: Callable[..., Path]) -> None:
    times = np.linspace(50.0, 340.0, N)  # a wide spread that both have in common
    odd = np.arange(N) % 2 == 1
    first = read_ensemble(make("first", times=times, apart=odd))
    later = odd.copy()
    later[0] = True
    second = read_ensemble(make("second", times=times + 20.0, apart=later))
    elsewhere = read_ensemble(make("elsewhere", times=times + 20.0, apart=later, shift=0.1))
    assert began_alike(first, second)
    assert not began_alike(first, elsewhere)
    found = compare([first, second, elsewhere], ["a", "b", "c"], classes=CLASSES)
    pairs, apart = found.differences
    assert (pairs.paired, apart.paired) == (True, False)
    assert pairs.lifetime is not None
    assert apart.lifetime is not None
    assert pairs.lifetime.value_fs == pytest.approx(20.0, abs=1e-9)
    assert pairs.lifetime.lower_fs == pytest.approx(20.0, abs=1e-9)
    assert pairs.lifetime.upper_fs == pytest.approx(20.0, abs=1e-9)
    assert apart.lifetime.lower_fs < -20 < 60 < apart.lifetime.upper_fs
    assert pairs.shares["apart"].value == pytest.approx(1 / N)
    width = pairs.shares["apart"].upper - pairs.shares["apart"].lower
    assert width < 0.5 * (apart.shares["apart"].upper - apart.shares["apart"].lower)
    assert set(pairs.shares) == {"bound", "apart", "undecided", "failed"}
    assert sum(share.value for share in pairs.shares.values()) == pytest.approx(0, abs=1e-12)


def test_a_run_beside_itself_differs_by_nothing(make: Callable[..., Path]) -> None:
    run = read_ensemble(make("run", times=np.linspace(50, 340, N), apart=np.arange(N) < 7))
    (same,) = compare([run, run], ["a", "b"], classes=CLASSES).differences
    assert same.lifetime is not None
    assert (same.lifetime.lower_fs, same.lifetime.value_fs, same.lifetime.upper_fs) == (0, 0, 0)
    assert all(share.lower <= 0 <= share.upper for share in same.shares.values())


def test_other_states_are_refused(
    make: Callable[..., Path], write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    run = read_ensemble(make("run", times=np.full(N, 100.0), apart=np.zeros(N, dtype=bool)))
    path = tmp_path / "three.h5"
    write_ensemble(
        path,
        active_state=np.ones((2, 3), dtype=int),
        positions=np.zeros((2, 3, 2, 3)),
        states=("S0", "T1"),
    )
    with pytest.raises(DataError, match="of other states than"):
        compare([run, read_ensemble(path)], ["a", "b"], classes=None)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_intervals_of_paired_differences_cover_the_truth(shared: float) -> None:
    generator = np.random.default_rng(3)
    n, repeats, truth = 60, 800, 0.55 - 0.35
    held = 0
    for _ in range(repeats):
        common = generator.random(n)
        numbers = [np.where(generator.random(n) < shared, common, generator.random(n))] * 2
        numbers[1] = np.where(generator.random(n) < shared, common, generator.random(n))
        lower, upper = newcombe(numbers[0] < 0.35, numbers[1] < 0.55, paired=True)
        held += lower <= truth <= upper
    assert 0.93 <= held / repeats <= 0.995


def test_a_difference_without_any_outcome_is_as_wide_as_wilson() -> None:
    none = np.zeros(50, dtype=bool)
    high = float(wilson(np.array(0), np.array(50))[1])
    assert newcombe(none, none, paired=True) == pytest.approx((-high, high))


def test_medians_of_independent_samples_spread_more() -> None:
    generator = np.random.default_rng(0)
    start = generator.exponential(100.0, size=80)
    everyone = np.ones(80, dtype=bool)

    def survival(duration):
        return SurvivalTimes(state="S1", duration_fs=duration, decayed=everyone, parked=~everyone)

    first, second = survival(start), survival(start + 5.0)
    spans = []
    for paired in (True, False):
        found = bootstrap_difference(
            first, second, paired=paired, generator=np.random.default_rng(1)
        )
        assert found is not None
        assert found.value_fs == pytest.approx(5.0)
        spans.append(found.upper_fs - found.lower_fs)
    assert spans[0] < 1e-9
    assert spans[1] > 20
    never = SurvivalTimes(state="S1", duration_fs=start, decayed=~everyone, parked=~everyone)
    assert (
        bootstrap_difference(first, never, paired=True, generator=np.random.default_rng(1)) is None
    )

"""Parked trajectories counted the one way and the other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from namd.analysis.either_way import Range, lifetime_range, yield_ranges
from namd.analysis.populations import populations
from namd.analysis.survival import survival_times
from namd.analysis.yields import quantum_yields
from namd.config.classes import AnalysisConfig
from namd.io.ensemble import Ensemble, read_ensemble

CLASSES = AnalysisConfig.model_validate(
    {
        "coordinates": [{"kind": "position", "name": "x", "atom": 0, "axis": "x"}],
        "classes": [
            {"name": "right", "bounds": [{"coordinate": "x", "at_least_angstrom": 0}]},
            {"name": "left", "bounds": [{"coordinate": "x", "below_angstrom": 0}]},
        ],
    }
)


@pytest.fixture
def ensemble(tmp_path: Path, write_ensemble: Callable[..., Path]) -> Ensemble:
    """Five trajectories of 40 fs from S1: decays at 10, 20 and 30 fs, two parked there at 20 fs."""
    active = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1]])
    active = np.concatenate([active, active[-1:]])
    status = np.zeros_like(active)
    status[3:, 3:] = 2
    positions = np.zeros((5, 5, 1, 3))
    positions[:, :, 0, 0] = [1.0, 1.0, -1.0, 0.5, 0.5]
    path = write_ensemble(
        tmp_path / "ensemble.h5",
        active_state=active,
        status=status,
        positions=positions,
        hops=[(0, 10.0, 1, 0, True), (1, 20.0, 1, 0, True), (2, 30.0, 1, 0, True)],
        final_step=[80, 80, 80, 40, 40],
    )
    return read_ensemble(path)


def test_populations_with_the_parked_where_they_stood(ensemble: Ensemble) -> None:
    found = populations(ensemble)
    assert found.active[-1] == pytest.approx([1.0, 0.0])
    assert found.bound_lower[-1] == pytest.approx([0.6, 0.0])
    assert found.bound_upper[-1] == pytest.approx([1.0, 0.4])
    assert found.as_parked[-1] == pytest.approx([0.6, 0.4])


def test_the_lifetime_lies_between_decay_when_parked_and_never(ensemble: Ensemble) -> None:
    times = survival_times(ensemble)
    assert times.parked.sum() == 2
    # 10, 20, 20, 20, 30 fs; and 10, 20, 30 fs with two still excited at 30.
    found = lifetime_range(times)
    assert (found.lower, found.upper) == (pytest.approx(20.0), pytest.approx(30.0))


def test_the_lifetime_of_nobody_and_one_that_is_not_reached(
    tmp_path: Path, write_ensemble: Callable[..., Path]
) -> None:
    still = read_ensemble(write_ensemble(tmp_path / "0.h5", active_state=np.zeros((3, 4))))
    assert lifetime_range(survival_times(still)) == Range(lower=None, upper=None)
    status = np.zeros((3, 4), dtype=int)
    status[1:, :2] = 2
    path = write_ensemble(
        tmp_path / "1.h5", active_state=np.ones((3, 4)), status=status, final_step=[10, 10, 40, 40]
    )
    found = lifetime_range(survival_times(read_ensemble(path)))
    assert (found.lower, found.upper) == (pytest.approx(5.0), None)


def test_yields_if_none_and_if_all_of_the_parked_became_a_class(ensemble: Ensemble) -> None:
    found = yield_ranges(quantum_yields(ensemble, CLASSES))
    assert found["right"]["of_all"] == Range(lower=2 / 5, upper=4 / 5)
    assert found["left"]["of_all"] == Range(lower=1 / 5, upper=3 / 5)
    assert found["left"]["of_decided"] == Range(lower=1 / 5, upper=3 / 5)

"""Populations: who counts, sums, bounds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from namd.analysis.intervals import wilson
from namd.analysis.populations import populations
from namd.io.ensemble import read_ensemble


def test_a_parked_trajectory_leaves_and_a_finished_one_stays(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    active = [[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]]
    status = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 2, 0]]
    amplitudes = np.eye(2)[np.array(active)].astype(complex)
    amplitudes[1, 1] = [0.6j, 0.8]
    amplitudes[2, 2] = np.nan
    result = populations(
        read_ensemble(
            write_ensemble(
                tmp_path / "e.h5", active_state=active, status=status, amplitudes=amplitudes
            )
        )
    )
    assert result.time_fs == pytest.approx([0, 10, 20])
    assert result.trajectories.tolist() == [4, 4, 3]
    assert result.parked.tolist() == [0, 0, 1]
    assert result.active == pytest.approx(np.array([[0, 1], [1 / 4, 3 / 4], [2 / 3, 1 / 3]]))
    # (1 + 0.36) / 4 in S0; the parked one's NaN never enters.
    assert result.amplitude[1] == pytest.approx([0.34, 0.66])
    assert result.amplitude[2] == pytest.approx([2 / 3, 1 / 3])
    low, high = wilson(np.array([2, 1]), np.array([3, 3]))
    assert result.lower[2] == pytest.approx(low)
    assert result.upper[2] == pytest.approx(high)
    assert result.bound_lower[2] == pytest.approx([2 / 4, 1 / 4])
    assert result.bound_upper[2] == pytest.approx([3 / 4, 2 / 4])


def test_populations_of_three_states_sum_to_one(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    generator = np.random.default_rng(4)
    active = generator.integers(0, 3, size=(5, 40))
    parked_from = generator.integers(1, 9, size=40)
    status = np.where(np.arange(5)[:, None] >= parked_from, 2, 0)
    c = generator.normal(size=(5, 40, 3, 2)) @ np.array([1, 1j])
    c /= np.linalg.norm(c, axis=-1, keepdims=True)
    path = write_ensemble(tmp_path / "e.h5", active_state=active, status=status, amplitudes=c)
    result = populations(read_ensemble(path))
    assert result.states == ("S0", "S1", "S2")
    assert result.active.sum(axis=1) == pytest.approx(1)
    assert result.amplitude.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert (result.lower <= result.active).all()
    assert (result.active <= result.upper).all()
    assert (result.trajectories + result.parked == 40).all()
    assert result.bound_lower.sum(axis=1) == pytest.approx(result.trajectories / 40)


def test_with_everybody_parked_nothing_is_claimed(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_ensemble(tmp_path / "e.h5", active_state=[[1, 1], [1, 1]], status=[[0, 0], [2, 2]])
    result = populations(read_ensemble(path))
    assert np.isnan(result.active[1]).all()
    assert np.isnan(result.amplitude[1]).all()
    assert result.lower[1].tolist() == [0, 0]
    assert result.upper[1].tolist() == [1, 1]

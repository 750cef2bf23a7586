"""Diabatic populations of an ensemble: means, errors, who counts."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.analysis.diabatic import diabatic_populations
from namd.errors import DataError
from namd.io.ensemble import read_ensemble

Writer = Callable[..., Path]


@pytest.fixture
def file(write_ensemble: Writer, tmp_path: Path) -> Path:
    return write_ensemble(
        tmp_path / "e.h5", active_state=[[1] * 4, [0, 1, 1, 1]], status=[[0] * 4, [0, 0, 0, 2]]
    )


def with_populations(file: Path, values: np.ndarray) -> Path:
    with h5py.File(file, "r+") as opened:
        stored = opened.create_dataset("frames/diabatic_populations", data=values, dtype="f4")
        stored.attrs["unit"] = "1"
    return file


def test_means_with_errors_over_those_who_count(file: Path) -> None:
    first = np.array([[1.2, 0.9, 0.8, 1.1], [0.5, 0.1, 0.6, np.nan]])
    with_populations(file, np.stack((first, 1 - first), axis=2))
    result = diabatic_populations(read_ensemble(file))
    assert result.states == ("d0", "d1")
    assert result.trajectories.tolist() == [4, 3]
    assert result.mean == pytest.approx(np.array([[1.0, 0.0], [0.4, 0.6]]))
    error = np.std([0.5, 0.1, 0.6], ddof=1) / np.sqrt(3)
    assert result.standard_error[1] == pytest.approx([error, error], rel=1e-6)
    assert result.upper - result.mean == pytest.approx(1.959964 * result.standard_error)
    assert result.mean - result.lower == pytest.approx(1.959964 * result.standard_error)


def test_with_one_left_there_is_no_error_and_with_none_no_mean(
    write_ensemble: Writer, tmp_path: Path
) -> None:
    path = write_ensemble(tmp_path / "e.h5", active_state=[[1, 1], [1, 1]], status=[[0, 2], [2, 2]])
    result = diabatic_populations(read_ensemble(with_populations(path, np.full((2, 2, 2), 0.5))))
    assert result.mean[0].tolist() == [0.5, 0.5]
    assert np.isnan(result.standard_error).all()
    assert np.isnan(result.mean[1]).all()


def test_an_ensemble_without_diabats_says_so(file: Path) -> None:
    with pytest.raises(DataError, match="no diabatic populations"):
        diabatic_populations(read_ensemble(file))


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 2), (1, 4, 2)])
def test_a_misshapen_array_is_refused(file: Path, shape: tuple[int, ...]) -> None:
    with_populations(file, np.zeros(shape))
    with pytest.raises(DataError, match="frames/diabatic_populations has shape"):
        read_ensemble(file)

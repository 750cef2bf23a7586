"""Candidates from runs and files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.active.candidates import SOURCE, read_candidates
from namd.data.frames import Frames
from namd.data.frames_file import write_frames
from namd.errors import DataError
from namd.molecule import Molecule

MOLECULE = Molecule.from_numbers(np.array([6, 6]), charge=1)


@pytest.fixture
def run(tmp_path: Path, write_ensemble: Callable[..., Path]) -> Path:
    """Three trajectories of four frames; 1 is parked before frame 2, 2 finishes in frame 3."""
    folder = tmp_path / "cis"
    folder.mkdir()
    positions = np.arange(4)[:, None, None, None] + np.zeros((4, 3, 2, 3))
    positions += 10.0 * np.arange(3)[:, None, None] * np.array([[0.0, 0, 0], [0, 0, 1]])
    positions[3, 1] = positions[2, 1]  # a parked trajectory keeps where it was parked
    status = np.array([[0, 0, 0], [0, 0, 0], [0, 2, 0], [0, 2, 1]])
    write_ensemble(
        folder / "ensemble.h5",
        active_state=np.zeros((4, 3)),
        status=status,
        positions=positions,
        reason=[0, 3, 0],
    )
    return folder


def read(*paths: Path, **options: Any) -> Any:
    return read_candidates(paths, molecule=MOLECULE, **options)


def test_moving_trajectories_and_the_parked_frame(run: Path) -> None:
    found = read(run)
    assert len(found) == 4 + 3 + 3
    rows = found.frames.group.tolist()
    assert rows == ["cis-00000"] * 4 + ["cis-00001"] * 3 + ["cis-00002"] * 3
    assert found.parked.tolist() == [0] * 4 + [0, 0, 3] + [0] * 3
    assert found.frames.positions[6, 0, 0] == 2.0
    assert set(found.frames.source.tolist()) == {SOURCE}
    assert found.frames.molecule.charge == 1
    assert (np.diff(found.frames.carried["time"][:4]) > 0).all()


def test_a_parked_frame_is_taken_whatever_the_stride(run: Path) -> None:
    found = read(run / "ensemble.h5", every=3)
    assert found.frames.group.tolist() == ["cis-00000"] * 2 + ["cis-00001"] * 2 + ["cis-00002"]
    assert found.parked.tolist() == [0, 0, 0, 3, 0]


def test_unknown_positions_of_a_parked_trajectory_are_passed_over(
    tmp_path: Path, write_ensemble: Callable[..., Path]
) -> None:
    positions = np.arange(3.0)[:, None, None, None] + np.zeros((3, 1, 2, 3))
    positions[1:] = np.nan
    path = write_ensemble(
        tmp_path / "e.h5",
        active_state=np.zeros((3, 1)),
        status=[[0], [2], [2]],
        positions=positions,
        reason=[2],
    )
    found = read(path)
    assert found.parked.tolist() == [0]
    assert found.frames.positions[0, 0, 0] == 0.0
    assert found.frames.group.tolist() == ["e-00000"]


def test_runs_and_files_come_together(run: Path, tmp_path: Path) -> None:
    frames = Frames(
        molecule=MOLECULE,
        positions=np.ones((2, 2, 3)),
        group=np.array(["a", "b"]),
        source=np.array(["scan", "scan"]),
    )
    write_frames(frames, tmp_path / "scan.h5")
    found = read(run, tmp_path / "scan.h5", run)
    assert len(found) == 22
    assert found.frames.group[[0, 10, 12]].tolist() == ["cis0-00000", "a", "cis1-00000"]
    assert np.isnan(found.frames.carried["time"][10:12]).all()


def test_another_molecule_is_refused(run: Path, tmp_path: Path) -> None:
    frames = Frames(
        molecule=Molecule.from_numbers(np.array([6, 8])),
        positions=np.ones((1, 2, 3)),
        group=np.array(["a"]),
        source=np.array(["scan"]),
    )
    write_frames(frames, tmp_path / "co.h5")
    with pytest.raises(DataError, match="frames of CO") as caught:
        read(run, tmp_path / "co.h5")
    assert caught.value.where == str(tmp_path / "co.h5")
    with pytest.raises(DataError, match="another molecule"):
        read_candidates([run], molecule=Molecule.from_numbers(np.array([6, 8])))

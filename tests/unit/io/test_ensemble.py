"""The reader of ensembles: what it reads, and what it refuses with which words."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.errors import DataError
from namd.io.ensemble import PARKED, REASONS, STATUS, is_parked, parking_reasons, read_ensemble
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME

Writer = Callable[..., Path]


@pytest.fixture
def file(write_ensemble: Writer, tmp_path: Path) -> Path:
    return write_ensemble(
        tmp_path / "ensemble.h5",
        active_state=[[1, 1, 1], [0, 1, 1], [0, 1, 1]],
        status=[[0, 0, 0], [0, 0, 2], [1, 1, 2]],
        hops=[(2, 3.0, 1, 0, False), (0, 5.0, 1, 0, True)],
        positions=np.arange(9.0)[:, None].reshape(3, 3, 1, 1) * np.ones(3),
        config={"dynamics": {"timestep_fs": 0.5}},
    )


def test_everything_small_is_read(file: Path) -> None:
    ensemble = read_ensemble(file)
    assert ensemble.n_trajectories == 3
    assert ensemble.states.labels == ("S0", "S1")
    assert ensemble.config["dynamics"]["timestep_fs"] == 0.5
    assert ensemble.potential == {"name": "synthetic"}
    assert ensemble.timestep * FS_PER_ATOMIC_TIME == pytest.approx(0.5)
    assert ensemble.time * FS_PER_ATOMIC_TIME == pytest.approx([0, 10, 20])
    assert ensemble.active_state.tolist() == [[1, 1, 1], [0, 1, 1], [0, 1, 1]]
    assert ensemble.status[-1].tolist() == [1, 1, PARKED]
    assert ensemble.amplitudes.dtype == np.complex128
    assert ensemble.amplitudes[1, 0].tolist() == [1, 0]
    assert is_parked(ensemble).tolist() == [False, False, True]
    assert parking_reasons(ensemble) == {"energy jump": 1}
    hops = ensemble.hops
    assert len(hops) == 2
    assert hops.trajectory.tolist() == [2, 0]
    assert hops.accepted.tolist() == [False, True]
    assert hops.gap * EV_PER_HARTREE == pytest.approx([0.2721, 0.2721], abs=1e-4)


def test_a_run_folder_is_as_good_as_its_file(file: Path) -> None:
    assert read_ensemble(file.parent).path == file


def test_positions_come_by_frame(file: Path) -> None:
    ensemble = read_ensemble(file)
    assert ensemble.positions(-1)[:, 0, 0].tolist() == [6, 7, 8]
    assert ensemble.positions(0)[:, 0, 0].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="frame 3 does not exist"):
        ensemble.positions(3)


def test_hops_are_matched_by_trajectory_number_not_by_row(file: Path) -> None:
    with h5py.File(file, "r+") as f:
        f["trajectory_id"][:] = [12, 10, 11]
        f["hops/trajectory"][:] = [11, 12]
    assert read_ensemble(file).hops.trajectory.tolist() == [2, 0]
    with h5py.File(file, "r+") as f:
        f["hops/trajectory"][:] = [11, 13]
    with pytest.raises(DataError, match="not in 'trajectory_id'"):
        read_ensemble(file)


def test_half_a_block_of_a_running_file_is_not_read(file: Path) -> None:
    with h5py.File(file, "r+") as f:
        short = f["frames/energies"][:2]
        del f["frames/energies"]
        f["frames/energies"] = short
    ensemble = read_ensemble(file)
    assert len(ensemble.time) == len(ensemble.active_state) == 2
    assert ensemble.positions(-1)[:, 0, 0].tolist() == [3, 4, 5]


def test_a_parked_trajectory_of_unknown_reason_is_still_counted(file: Path) -> None:
    with h5py.File(file, "r+") as f:
        f["final/reason"][:] = 0
    assert parking_reasons(read_ensemble(file)) == {"reason not recorded": 1}


def test_every_code_has_its_words() -> None:
    assert list(STATUS) == [0, 1, 2]
    assert list(REASONS) == [0, 1, 2, 3, 4]
    for code, reason in REASONS.items():
        assert reason.name
        assert reason.sentence.endswith(".")
        assert bool(reason.remedy) == (code != 0)


def test_the_codes_are_those_of_the_dynamics() -> None:
    from namd.dynamics.status import Reason, Status

    assert {s.value: s.name.lower() for s in Status} == STATUS
    names = {r.value: r.name.lower().replace("_", " ") for r in Reason}
    assert {code: reason.name for code, reason in REASONS.items()} == {
        **names,
        4: "outside the trust region",
    }


def _drop(name: str) -> Callable[[h5py.File], None]:
    def damage(f: h5py.File) -> None:
        del f[name]

    return damage


def _set(name: str, value: object) -> Callable[[h5py.File], None]:
    def damage(f: h5py.File) -> None:
        del f[name]
        f[name] = value

    return damage


def _attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    def damage(f: h5py.File) -> None:
        f.attrs[name] = value

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_attribute("format", "namd-dataset"), "namd-dataset file, expected a namd-ensemble"),
        (_attribute("format_version", 2), "version 2 is unknown"),
        (_attribute("config", "{"), "'config' is not valid JSON"),
        (_attribute("config", "[1]"), "'config' is not a mapping"),
        (_attribute("timestep", "soon"), "not a number"),
        (_attribute("timestep", -1.0), "must be positive"),
        (_drop("frames"), "group 'frames' is missing"),
        (_drop("hops"), "group 'hops' is missing"),
        (_drop("frames/positions"), "'frames/positions' is missing"),
        (_drop("frames/status"), "'frames/status' is missing"),
        (_set("frames/active_state", np.full((3, 3), 7)), "outside 0 … 1"),
        (_set("hops/to_state", np.array([0, -1])), "outside 0 … 1"),
        (_set("hops/gap", np.array([0.1])), r"hops/gap has shape \(1,\), expected \(2,\)"),
        (_set("frames/amplitudes", np.zeros((3, 2, 2), complex)), r"amplitudes has shape"),
        (_set("final/status", np.zeros(5)), r"final/status has shape \(5,\)"),
        (_set("frames/time", np.array([0.0, 2.0, 1.0])), "does not increase"),
    ],
)
def test_damage_is_told(file: Path, damage: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(file, "r+") as f:
        damage(f)
    with pytest.raises(DataError, match=message) as caught:
        read_ensemble(file)
    assert str(file) in str(caught.value.where)


def test_no_frame_yet(write_ensemble: Writer, tmp_path: Path) -> None:
    path = write_ensemble(tmp_path / "e.h5", active_state=np.zeros((1, 2)))
    with h5py.File(path, "r+") as f:
        for name in list(f["frames"]):
            rest = f[f"frames/{name}"][:0]
            del f[f"frames/{name}"]
            f[f"frames/{name}"] = rest
    with pytest.raises(DataError, match="no saved frame yet"):
        read_ensemble(path)


def test_files_that_are_none(file: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"holds no ensemble\.h5"):
        read_ensemble(empty)
    with pytest.raises(DataError, match="no such file"):
        read_ensemble(tmp_path / "nowhere.h5")
    text = tmp_path / "text.h5"
    text.write_text(json.dumps({"a": 1}))
    with pytest.raises(DataError, match="not an HDF5 file"):
        read_ensemble(text)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated"):
        read_ensemble(file)

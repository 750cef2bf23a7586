"""A start in a diabatic state, from the configuration to the table of diabatic populations."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from namd.cli import surface_hopping_job
from namd.cli.main import run
from namd.errors import Interrupted
from namd.io.ensemble import read_ensemble

OPTIONS = {
    "trajectories": 12,
    "dynamics.duration_fs": 3,
    "dynamics.timestep_fs": 0.25,
    "output.every_fs": 1,
}


def morse(folder: Path, *options: str, **changes: object) -> int:
    settings = [f"--set={key}={value}" for key, value in (OPTIONS | changes).items()]
    return run(["run", "surface-hopping", "morse-2", "--output", str(folder), *settings, *options])


def datasets(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with h5py.File(folder / "ensemble.h5") as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diabatic") / "run"
    assert morse(path) == 0
    return path


def test_the_ensemble_says_where_it_started(folder: Path) -> None:
    ensemble = read_ensemble(folder)
    with h5py.File(folder / "ensemble.h5") as file:
        assert (file["initial/diabatic_state"][()] == 0).all()
        drawn = file["initial/active_state"][()]
    assert (ensemble.active_state[0] == drawn).all()
    assert len(set(drawn.tolist())) > 1
    weights = np.abs(ensemble.amplitudes[0]) ** 2
    assert weights.sum(1) == pytest.approx(1, abs=1e-6)
    assert (weights.max(1) < 0.99).any()
    found = ensemble.diabatic_populations
    assert found is not None
    assert found.shape == (4, 12, 3)
    assert found.sum(2) == pytest.approx(1, abs=1e-6)


def test_the_batch_has_no_influence(folder: Path, tmp_path: Path) -> None:
    assert morse(tmp_path / "small", batch_size=5) == 0
    assert datasets(tmp_path / "small") == datasets(folder)


def test_a_run_stopped_before_its_first_step_starts_from_the_same_state(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise Interrupted("stopped", where="test", hint="go on")

    with monkeypatch.context() as patched:
        patched.setattr(surface_hopping_job, "run_ensemble", stop)
        assert morse(tmp_path / "run") == Interrupted.exit_code
    assert not (tmp_path / "run" / "ensemble.h5").exists()
    assert morse(tmp_path / "run", "--resume") == 0
    assert datasets(tmp_path / "run") == datasets(folder)


def test_diabatic_populations_as_table_json_and_figure(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["analyze", "populations", str(folder), "--basis", "diabatic"]
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        "time_fs",
        "states",
        "mean",
        "standard_error",
        "lower",
        "upper",
        "trajectories",
        "decoherence",
    ]
    assert found["states"] == ["d0", "d1", "d2"]
    assert found["trajectories"] == [12] * 4
    values = read_ensemble(folder).diabatic_populations
    assert values is not None
    assert found["mean"][-1] == pytest.approx(values[-1].mean(0))
    assert run([*command, "--figure", str(tmp_path / "d.png")]) == 0
    shown = capsys.readouterr()
    assert "Diabatic populations" in shown.out
    assert f"{found['mean'][-1][2]:.3f}" in shown.out
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")


def test_a_misspelt_basis_is_told_with_the_choices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert morse(tmp_path / "run", **{"initial_conditions.basis": "diabat"}) == 2
    shown = capsys.readouterr().err
    assert "initial_conditions.basis" in shown
    assert "diabatic" in shown
    assert not (tmp_path / "run").exists()

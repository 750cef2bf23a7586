"""``namd evaluate``: the JSON others rely on, both layouts of data, and every refusal."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from namd.cli.main import run
from namd.config.architecture import PerceptronArchitecture
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import save_model
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.train.trainer import initialise

STILBENE = Path(__file__).parents[1] / "data" / "stilbene-ssr22-mini.h5"
ERRORS = {"frames", "states", "gap_mae_mev", "coupling_r2", "coupling_cosine"}
STATE = {"energy_mae_mev", "force_mae_mev_per_angstrom"}
Captured = pytest.CaptureFixture[str]
Make = Callable[..., Any]


def untrained(dataset: Any, folder: Path) -> DiabaticModel:
    """A model with random weights for the molecule of a dataset, saved in ``folder``."""
    information = ModelInformation(
        name="guess",
        molecule=dataset.molecule,
        states=dataset.states,
        level_of_theory="springs between atoms",
        architecture=PerceptronArchitecture(hidden=8, layers=1),
        diabats=len(dataset.states),
    )
    model = DiabaticModel(information, seed=1)
    initialise(model, dataset)
    save_model(model, folder)
    return model


@pytest.fixture
def model(tmp_path: Path, make_labelled: Make) -> DiabaticModel:
    return untrained(make_labelled(16), tmp_path / "model")


def evaluate(tmp_path: Path, data: Path, *options: str) -> int:
    return run(["evaluate", str(tmp_path / "model"), str(data), *options])


def assert_shape(table: dict[str, Any], *, frames: int, states: int) -> None:
    """The keys of the interface, no more and no fewer."""
    assert set(table) == ERRORS | {"bins"}
    assert table["frames"] == frames
    assert [set(state) for state in table["states"]] == [STATE] * states
    assert sum(entry["frames"] for entry in table["bins"]) == frames
    for entry in table["bins"]:
        assert set(entry) == ERRORS | {"gap_ev"}
        assert [set(state) for state in entry["states"]] == [STATE] * states
        low, high = entry["gap_ev"]
        assert high is None or low < high


def test_json_of_a_native_dataset(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    path = tmp_path / "labels.h5"
    write_dataset(make_labelled(24, seed=5), path)
    assert evaluate(tmp_path, path, "--json") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    table = json.loads(shown.out)
    assert_shape(table, frames=24, states=2)
    expected = error_table(compare(model, read_dataset(path)))
    assert table["gap_mae_mev"] == pytest.approx(expected["gap_mae_mev"])
    assert table["coupling_r2"] == pytest.approx(expected["coupling_r2"])
    # Against h5py and the network's own numbers, without any of our metrics.
    with h5py.File(path) as file:
        energies, positions = file["energies"][()], file["positions"][()]
    ours = model.adiabatic(torch.from_numpy(positions)).energies.numpy()
    mean = 27211.386 * np.abs(ours - energies).mean(0)
    assert [s["energy_mae_mev"] for s in table["states"]] == pytest.approx(mean, rel=1e-6)


def test_json_of_real_labels_in_the_layout_of_the_stilbene_set(
    tmp_path: Path, capsys: Captured
) -> None:
    dataset = read_dataset(STILBENE)
    untrained(dataset, tmp_path / "model")
    assert evaluate(tmp_path, STILBENE, "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert_shape(table, frames=6, states=2)
    filled = [entry["gap_ev"] for entry in table["bins"] if entry["frames"]]
    with h5py.File(STILBENE) as file:
        gaps = np.diff(file["energies"][()], axis=1).ravel() * 27.211386
        assert file["nonadiabatic_coupling"].shape == (6, 26, 3)
    for gap in gaps:
        assert any(low <= gap < (high or np.inf) for low, high in filled)
    assert table["coupling_r2"] is not None


def test_the_sign_of_the_couplings_in_the_file_does_not_matter(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    tables = []
    for name, flips in (("one", True), ("two", False)):
        write_dataset(make_labelled(24, flips=flips), tmp_path / f"{name}.h5")
        assert evaluate(tmp_path, tmp_path / f"{name}.h5", "--json") == 0
        tables.append(json.loads(capsys.readouterr().out))
    assert tables[0]["coupling_r2"] == pytest.approx(tables[1]["coupling_r2"], rel=1e-9)


def test_groups_choose_frames(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    path = tmp_path / "labels.h5"
    write_dataset(make_labelled(24), path)
    assert evaluate(tmp_path, path, "--json", "--groups", "walk-[01]", "--groups", "walk-7") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 9
    assert evaluate(tmp_path, path, "--groups", "run-*") == 2
    assert "no group of" in capsys.readouterr().err


def test_the_table_the_figure_and_the_warning(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    path = tmp_path / "labels.h5"
    write_dataset(make_labelled(24, level_of_theory="something else"), path)
    assert evaluate(tmp_path, path, "--figure", str(tmp_path / "parity.png")) == 0
    shown = capsys.readouterr()
    assert "guess on labels.h5 (something else)" in shown.out
    assert "E S0 meV" in shown.out
    assert "F S1 meV/Å" in shown.out
    assert "the model learned springs between atoms" in shown.err
    assert (tmp_path / "parity.png").read_bytes().startswith(b"\x89PNG")


def test_labels_without_couplings(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    path = tmp_path / "labels.h5"
    write_dataset(make_labelled(8, coupling=False), path)
    figure = ("--figure", str(tmp_path / "parity.png"))
    assert evaluate(tmp_path, path, "--json", *figure) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["coupling_r2"] is table["coupling_cosine"] is None
    assert table["gap_mae_mev"] > 0
    assert evaluate(tmp_path, path) == 0
    assert "–" in capsys.readouterr().out


def test_couplings_that_are_known_in_some_frames(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    coupling = make_labelled(8)["nonadiabatic_coupling"].copy()
    coupling[3:] = np.nan
    path = tmp_path / "labels.h5"
    write_dataset(make_labelled(8, arrays={"nonadiabatic_coupling": coupling}), path)
    assert evaluate(tmp_path, path, "--json", "--figure", str(tmp_path / "x.png")) == 0
    assert json.loads(capsys.readouterr().out)["coupling_r2"] is not None


def test_one_state(tmp_path: Path, capsys: Captured, make_labelled: Make) -> None:
    dataset = make_labelled(8, states=1)
    untrained(dataset, tmp_path / "model")
    write_dataset(dataset, tmp_path / "labels.h5")
    figure = ("--figure", str(tmp_path / "parity.png"))
    assert evaluate(tmp_path, tmp_path / "labels.h5", "--json", *figure) == 0
    table = json.loads(capsys.readouterr().out)
    assert set(table) == ERRORS | {"bins"}
    assert table["bins"] == []
    assert table["gap_mae_mev"] is None


def test_the_lowest_of_more_states(tmp_path: Path, capsys: Captured, make_labelled: Make) -> None:
    three = make_labelled(8, states=3)
    untrained(three.lowest_states(2), tmp_path / "model")
    write_dataset(three, tmp_path / "three.h5")
    write_dataset(three.lowest_states(2), tmp_path / "two.h5")
    assert evaluate(tmp_path, tmp_path / "three.h5", "--json", "--states", "2") == 0
    chosen = capsys.readouterr().out
    assert evaluate(tmp_path, tmp_path / "two.h5", "--json") == 0
    assert json.loads(chosen) == json.loads(capsys.readouterr().out)
    assert evaluate(tmp_path, tmp_path / "three.h5", "--states", "4") == 3
    assert "the data have 3" in capsys.readouterr().err


def test_what_does_not_fit_the_model_is_refused(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    assert evaluate(tmp_path, STILBENE) == 3
    shown = capsys.readouterr().err
    assert "CH4N" in shown
    assert "C14H12" in shown
    write_dataset(make_labelled(4, states=3), tmp_path / "three.h5")
    assert evaluate(tmp_path, tmp_path / "three.h5") == 3
    assert "has 2 states, the data 3" in capsys.readouterr().err


def test_damaged_or_missing_files_are_refused(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    labels = tmp_path / "labels.h5"
    write_dataset(make_labelled(4), labels)
    forces = make_labelled(4)["forces"].copy()
    forces[2, 1, 3] = np.nan
    write_dataset(make_labelled(4, arrays={"forces": forces}), tmp_path / "nan.h5")
    (tmp_path / "cut.h5").write_bytes(labels.read_bytes()[:500])
    for name, said in (("gone.h5", "gone.h5"), ("cut.h5", "truncated"), ("nan.h5", "frame 2")):
        assert evaluate(tmp_path, tmp_path / name, "--json") == 3
        shown = capsys.readouterr()
        assert said in shown.err
        assert shown.out == ""
        assert "Traceback" not in shown.err
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert evaluate(tmp_path, labels) == 3
    assert "SHA-256" in capsys.readouterr().err
    assert run(["evaluate", "no-such-model", str(labels)]) == 3
    assert "neither as a folder nor in the zoo" in capsys.readouterr().err


def test_a_figure_that_cannot_be_written_is_told(
    model: DiabaticModel, tmp_path: Path, capsys: Captured, make_labelled: Make
) -> None:
    write_dataset(make_labelled(4), tmp_path / "labels.h5")
    figure = tmp_path / "no" / "such" / "folder" / "parity.png"
    assert evaluate(tmp_path, tmp_path / "labels.h5", "--figure", str(figure)) == 2
    shown = capsys.readouterr().err
    assert "--figure" in shown
    assert "does not exist" in shown

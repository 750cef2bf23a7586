"""``namd train --members``: one folder of several models that stands wherever a model can."""

import json
import os
import shlex
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from namd.cli.main import run
from namd.config.loading import load_config
from namd.config.training import TrainingConfig
from namd.data.frames import read_frames
from namd.data.native import write_dataset
from namd.io import library
from namd.io.committee_file import read_committee
from namd.io.parked import read_parked
from namd.nn.model_folder import load_model
from namd.potentials.trained import load_trained
from namd.train import checkpoint
from namd.train.committee import plan_members

CONFIG = """
name: tiny
data: {file: labels.h5, validation: [walk-1], test: ["walk-2", "walk-3"]}
network: {kind: perceptron, hidden: 12, layers: 2}
optimiser: {epochs: 2, batch_size: 8, warmup_steps: 2, learning_rate: 0.01}
seed: 3
device: cpu
"""
TIGHT = "guards.uncertainty.force_ev_per_angstrom=1e-9"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, make_labelled: Callable[..., Any]) -> Path:
    """Labels, a configuration and a committee of three, as trained; not to be touched."""
    folder = tmp_path_factory.mktemp("once")
    write_dataset(make_labelled(32, states=2), folder / "labels.h5")
    (folder / "tiny.yaml").write_text(CONFIG)
    assert train(folder / "tiny.yaml", "three", "--members", "3") == 0
    return folder


@pytest.fixture
def config(once: Path, tmp_path: Path) -> Path:
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "tiny.yaml"


@pytest.fixture
def trained(config: Path) -> Path:
    """A committee of three."""
    return config.parent / "three"


def train(config: Path, output: str, *options: str) -> int:
    return run(["train", str(config), "--output", str(config.parent / output), *options])


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_every_member_is_the_training_of_its_seed(
    config: Path, trained: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert train(config, "alone", "--set", "seed=5", "--set", "name=tiny-3") == 0
    assert weights(trained / "member-3") == weights(tmp_path / "alone")
    assert len({weights(trained / f"member-{k}") for k in (1, 2, 3)}) == 3
    told = json.loads((trained / "committee.json").read_text())
    assert told["format"] == "namd-committee"
    assert [member["folder"] for member in told["members"]] == ["member-1", "member-2", "member-3"]
    assert "committee of 3 networks" in (trained / "README.md").read_text()


def test_evaluation_is_of_the_mean_of_the_members(
    config: Path, trained: Path, capsys: Captured, make_labelled: Callable[..., Any]
) -> None:
    capsys.readouterr()
    assert run(["evaluate", str(trained), str(config.parent / "labels.h5"), "--json"]) == 0
    errors = json.loads(capsys.readouterr().out)
    dataset = make_labelled(32, states=2)
    positions = torch.from_numpy(dataset["positions"])
    members = [load_model(trained / f"member-{k}").adiabatic(positions) for k in (1, 2, 3)]
    mean = torch.stack([each.energies for each in members]).mean(0).numpy()
    error = 27211.386 * np.abs(mean - dataset["energies"]).mean(0)
    found = [state["energy_mae_mev"] for state in errors["states"]]
    np.testing.assert_allclose(found, error, rtol=1e-6)
    stored = json.loads((trained / "metrics.json").read_text())["errors"]
    assert set(stored) == {"validation", "test"}


def test_the_factors_come_from_the_validation_frames_alone(
    config: Path, trained: Path, tmp_path: Path, capsys: Captured, make_labelled: Callable[..., Any]
) -> None:
    dataset = make_labelled(32, states=2)
    scales = read_committee(trained).scales
    assert set(scales) == {"energy", "gap", "force", "coupling"}
    members = [load_model(trained / f"member-{k}") for k in (1, 2, 3)]

    def expected(group: str) -> float:
        chosen = dataset.select(dataset["group"] == group)
        positions = torch.from_numpy(chosen["positions"])
        energies = torch.stack([each.adiabatic(positions).energies for each in members])
        error = energies.mean(0).numpy() - chosen["energies"]
        return float(np.sqrt((error**2).sum() / energies.var(0).sum().item()))

    assert scales["energy"] == pytest.approx(expected("walk-1"), rel=1e-9)
    # The table has the errors of all frames it is asked for, by the same factors.
    capsys.readouterr()
    asked = ("evaluate", str(trained), str(tmp_path / "labels.h5"), "--groups", "walk-2")
    figure = tmp_path / "reliability.png"
    assert run([*asked, "--json", "--reliability", str(figure)]) == 0
    found = json.loads(capsys.readouterr().out)["uncertainty"]["energy"]
    assert found["scale"] == scales["energy"]
    ratio = found["true"] / found["predicted"] * scales["energy"]
    assert ratio == pytest.approx(expected("walk-2"), rel=1e-9)
    assert found["nll_after"] != found["nll_before"]
    assert sum(entry["frames"] for entry in found["bins"]) == 4
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert run(asked) == 0
    shown = capsys.readouterr()
    assert "Predicted and true errors" in shown.out
    assert f"{found['true']:.1f}" in shown.out
    assert "NLL" in shown.err


def test_a_model_that_predicts_no_errors_has_no_reliability(
    config: Path, trained: Path, capsys: Captured
) -> None:
    labels, figure = config.parent / "labels.h5", config.parent / "reliability.png"
    alone = trained / "member-1"
    (alone / "distance.safetensors").unlink()  # as models made before there was one
    assert run(["evaluate", str(alone), str(labels), "--reliability", str(figure)]) == 2
    assert "predicts no errors" in capsys.readouterr().err


def test_a_single_model_expects_errors_by_its_distance_from_the_training_frames(
    config: Path, trained: Path, capsys: Captured, make_labelled: Callable[..., Any]
) -> None:
    alone, dataset = trained / "member-1", make_labelled(32, states=2)
    capsys.readouterr()
    assert run(["evaluate", str(alone), str(config.parent / "labels.h5"), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)["uncertainty"]
    assert set(table) == {"energy", "gap", "force", "coupling"}
    assert table["energy"]["nll_before"] is None
    potential = load_trained(alone)
    positions = torch.from_numpy(dataset["positions"])
    lower = torch.zeros(32, dtype=torch.int64)
    found = potential.surfaces(positions, lower)
    # Far from all that it has seen it expects more, alike for both states.
    far = potential.surfaces(1.5 * positions, lower)
    assert (far.energy_deviation.mean() > 3 * found.energy_deviation.mean()).item()
    assert torch.equal(found.energy_deviation[:, 0], found.energy_deviation[:, 1])
    # On the validation frames the mean squares of expected and true errors are equal.
    watched = torch.from_numpy(dataset["group"] == "walk-1")
    error = found.energies - torch.from_numpy(dataset["energies"])
    ratio = error[watched].square().mean() / found.energy_deviation[watched].square().mean()
    assert ratio.item() == pytest.approx(1.0, rel=1e-4)
    longest = found.force_deviation / found.energy_deviation[:, 0]
    torch.testing.assert_close(longest, longest[:1].expand(32))


def test_a_configuration_a_sampling_and_a_description_can_name_it(
    trained: Path, tmp_path: Path, capsys: Captured, make_labelled: Callable[..., Any]
) -> None:
    capsys.readouterr()
    assert run(["models", "describe", str(trained), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "tiny"
    assert [member["folder"] for member in told["members"]] == ["member-1", "member-2", "member-3"]
    assert told["epochs_done"] == [2, 2, 2]
    assert run(["models", "describe", str(trained)]) == 0
    shown = capsys.readouterr().out
    assert "3; network, head and size are those of each" in shown
    assert f"deviations times energy {told['calibration']['scales']['energy']:.3g}" in shown
    relaxing = ("sample", "relax", str(tmp_path / "labels.h5"), "--model", str(trained))
    here = ("--frame", "0", "--state", "0", "--force-tolerance", "1000")
    assert run([*relaxing, *here, "--output", str(tmp_path / "relaxed.xyz")]) == 0
    (tmp_path / "run.yaml").write_text("""
potential: {model: three}
initial_conditions: {method: file, path: samples.h5, state: 1}
dynamics: {timestep_fs: 0.5, max_steps: 2, electronic: nac-vectors}
guards: {bond_stretch: null}
trajectories: 3
device: cpu
""")
    with h5py.File(tmp_path / "samples.h5", "w") as file:
        file.attrs.update(
            {
                "format": "namd-samples",
                "format_version": 1,
                "method": "given",
                "seed": 0,
                "charge": 1,
                "notes": "[]",
            }
        )
        molecule = load_trained(trained).molecule
        frames = make_labelled(3, states=2)["positions"]
        for name, values, unit in (
            ("atomic_numbers", molecule.atomic_numbers, "1"),
            ("masses", molecule.masses, "electron_mass"),
            ("positions", frames, "bohr"),
            ("velocities", np.zeros_like(frames), "bohr*hartree/hbar"),
        ):
            file.create_dataset(name, data=values).attrs["unit"] = unit
    hop = ("run", "surface-hopping", str(tmp_path / "run.yaml"))
    assert run([*hop, "--output", str(tmp_path / "run")]) == 0
    with h5py.File(tmp_path / "run" / "ensemble.h5") as file:
        assert (file["frames/energy_deviation"][()] > 0).all()
        assert json.loads(file.attrs["potential"])["name"] == "tiny"
    # None of them is trusted: all are parked and wait for labels, with the charge of the molecule.
    assert run([*hop, "--output", str(tmp_path / "doubt"), "--set", TIGHT]) == 0
    capsys.readouterr()
    thinned = ("sample", "thin", str(tmp_path / "doubt"), "-n", "2", "--closest", "0")
    assert run([*thinned, "--output", str(tmp_path / "few.h5")]) == 0
    few, parked = read_frames(tmp_path / "few.h5"), read_parked(tmp_path / "doubt")
    assert len(parked) == 3
    assert (parked.step == 1).all()
    assert all((parked.positions == each).all((1, 2)).any() for each in few.positions)
    assert few.molecule.charge == 1
    assert set(few.source.tolist()) == {"parked: outside the trust region"}


def test_a_model_can_be_named_by_the_zoo(
    trained: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "models" / "three")
    monkeypatch.setattr(library, "library_roots", lambda: [tmp_path])
    capsys.readouterr()
    assert run(["models", "list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["name"] == "tiny"
    assert listed["sha256"] == read_committee(trained).sha256


def test_a_stopped_committee_goes_on_with_the_member_it_was_at(
    config: Path, trained: Path, capsys: Captured
) -> None:
    target = config.parent / "cut"

    def interrupt_the_second() -> None:
        while not (target / "member-2" / checkpoint.CURRENT).exists():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    longer = ("--members", "2", "--set", "optimiser.epochs=6")
    assert train(config, "whole", *longer) == 0
    watcher = threading.Thread(target=interrupt_the_second)
    watcher.start()
    assert train(config, "cut", *longer) == 130
    watcher.join()
    assert not (target / "committee.json").exists()
    shown = capsys.readouterr()
    assert "member 2 of 2, seed 4" in shown.err
    assert "Errors on test frames" in shown.out  # of the whole one
    program, *words = shlex.split(shown.err.splitlines()[-1])
    assert program == "namd"
    first = (target / "member-1" / "model.safetensors").stat().st_mtime_ns
    assert run(words) == 0
    assert "member 1 of 2 is trained" in capsys.readouterr().err
    assert (target / "member-1" / "model.safetensors").stat().st_mtime_ns == first
    for k in (1, 2):
        assert weights(target / f"member-{k}") == weights(config.parent / f"whole/member-{k}")
    assert read_committee(target).members == read_committee(config.parent / "whole").members


def test_one_that_was_killed_at_the_very_end_is_concluded(
    config: Path, trained: Path, capsys: Captured
) -> None:
    told = (trained / "committee.json").read_bytes()
    (trained / "committee.json").unlink()
    assert run(["evaluate", str(trained), str(config.parent / "labels.h5")]) == 3
    assert train(config, "three", "--members", "3", "--resume") == 0
    assert "member 3 of 3 is trained" in capsys.readouterr().err
    assert (trained / "committee.json").read_bytes() == told


def test_members_can_be_added(config: Path, trained: Path, capsys: Captured) -> None:
    before = [weights(trained / f"member-{k}") for k in (1, 2, 3)]
    assert train(config, "three", "--members", "4", "--resume") == 0
    assert [weights(trained / f"member-{k}") for k in (1, 2, 3)] == before
    assert len(read_committee(trained).members) == 4
    capsys.readouterr()
    assert train(config, "three", "--members", "2", "--resume") == 2
    assert "4 members already" in capsys.readouterr().err


def test_a_committee_and_a_single_training_do_not_take_each_others_folder(
    config: Path, trained: Path, capsys: Captured
) -> None:
    assert train(config, "three", "--resume") == 2
    assert "give --members 3" in capsys.readouterr().err.lower()
    assert train(config, "one") == 0
    assert train(config, "one", "--members", "2", "--resume") == 2
    assert "folder of a single training" in capsys.readouterr().err
    assert train(config, "one", "--members", "2") == 2
    assert "never overwritten" in capsys.readouterr().err


def test_members_begin_from_the_members_of_an_earlier_committee(
    config: Path, trained: Path
) -> None:
    changes = ["optimiser.learning_rate=1e-12", "initial_weights=three", "optimiser.epochs=1"]
    options = [word for change in changes for word in ("--set", change)]
    assert train(config, "warm", "--members", "2", *options) == 0
    for k in (1, 2):
        warm = load_model(config.parent / "warm" / f"member-{k}").state_dict()
        start = load_model(trained / f"member-{k}").state_dict()
        assert all(torch.allclose(warm[name], start[name], atol=1e-8) for name in start)
    settings = load_config(config, TrainingConfig, changes)
    plans = plan_members(settings, 5, folder=trained, base=config.parent)
    starts = [Path(plan.config.initial_weights).name for plan in plans]
    assert starts == ["member-1", "member-2", "member-3", "member-1", "member-2"]
    assert [plan.config.seed for plan in plans] == [3, 4, 5, 6, 7]


def test_exchanged_members_damaged_files_and_single_uses_are_refused(
    config: Path, trained: Path, capsys: Captured
) -> None:
    labels = str(config.parent / "labels.h5")
    capsys.readouterr()
    assert run(["benchmark", "throughput", str(trained)]) == 3
    shown = capsys.readouterr().err
    assert "this is a committee" in shown
    assert "member-1" in shown
    kept = (trained / "committee.json").read_text()
    for text, words in (
        ("{", "damaged"),
        (kept.replace('"format_version": 1', '"format_version": 9'), "version 9"),
        (kept.replace(read_committee(trained).members[1].sha256, "0" * 64), "made of 0000"),
    ):
        (trained / "committee.json").write_text(text)
        assert run(["evaluate", str(trained), labels]) == 3
        assert words in capsys.readouterr().err

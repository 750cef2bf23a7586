"""``namd active-learn``: a loop on an analytic engine, its single steps, kills and refusals."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.data.dataset import Dataset
from namd.data.frames import read_frames
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.io.hdf5 import open_hdf5, read_array
from namd.molecule import Molecule
from namd.states import StateSpace
from namd.units import FS_PER_ATOMIC_TIME
from tests.data.bent_triatomic import MINIMA, label

RUN = """
potential: {tully: sac}          # replaced by the model of each round
initial_conditions: {method: file, path: starts.h5, state: 1}
dynamics: {timestep_fs: 0.25, duration_fs: 6, electronic: nac-vectors}
guards: {bond_stretch: 1.4}
output: {every_steps: 4}
trajectories: 8
seed: 5
device: cpu
"""
TRAIN = """
name: bent
data: {file: first.h5, validation: ["first-?1"], test: ["first-?2", "first-?7"]}
network: {kind: perceptron, hidden: 24, layers: 2}
optimiser: {epochs: 12, batch_size: 8, warmup_steps: 5, learning_rate: 0.01, ema_decay: 0.9}
device: cpu
"""
LABEL = """
engine:
  callable: bent_triatomic:label
  arguments: {calls: CALLS, seconds: 0.01}
  positions_unit: bohr
  level_of_theory: two bent states
  energies: {key: energies, unit: hartree}
  forces: {key: gradients, unit: hartree/bohr, kind: gradient}
  couplings: {key: coupling, unit: hartree/bohr, kind: interstate}
"""
LOOP = """
run: {config: run.yaml}
training: {config: train.yaml, members: 2, later_overrides: [optimiser.epochs=6]}
labelling: {config: label.yaml}
selection: {budget: 10}
stop: {parked_fraction: null, rounds: 2}
"""
COMMAND = [sys.executable, "-c", "from namd.cli.main import main; main()"]
MOLECULE = Molecule.from_numbers(np.array([6, 1, 1]))


def geometries(count: int, *, spread: float, seed: int) -> np.ndarray:
    """Bent molecules about the minimum of the ground state, Bohr."""
    a, _, c = MINIMA[0]
    base = np.array([[0.0, 0, 0], [c / 2, 0, 0], [-c / 2, 0, 0]])
    base[1:, 1] = np.sqrt(a**2 - c**2 / 4)
    noise = np.random.default_rng(seed).normal(size=(count, 3, 3))
    return base + spread * noise


def labelled(positions: np.ndarray, *, group: str) -> Dataset:
    found = [label(MOLECULE.symbols, each) for each in positions]
    return Dataset(
        molecule=MOLECULE,
        states=StateSpace.singlets(2),
        level_of_theory="two bent states",
        arrays={
            "positions": positions,
            "energies": np.stack([each["energies"] for each in found]),
            "forces": -np.stack([each["gradients"] for each in found]),
            "interstate_coupling": np.stack([each["coupling"][None] for each in found]),
            "group": np.array([f"{group}-{k:02d}" for k in range(len(positions))]),
            "source": np.full(len(positions), "noise"),
        },
    )


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything a loop starts from."""
    folder = tmp_path_factory.mktemp("loop")
    shutil.copy("tests/data/bent_triatomic.py", folder)
    texts = {"run": RUN, "train": TRAIN, "label": LABEL, "loop": LOOP}
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text.replace("CALLS", str(folder / "calls")))
    write_dataset(labelled(geometries(40, spread=0.12, seed=1), group="first"), folder / "first.h5")
    starts = geometries(8, spread=0.25, seed=2)
    with h5py.File(folder / "starts.h5", "w") as file:
        file["atomic_numbers"] = MOLECULE.atomic_numbers
        file["positions"] = starts
        file["velocities"] = np.random.default_rng(3).normal(scale=6e-4, size=starts.shape)
    return folder


@pytest.fixture(scope="module")
def whole(job: Path) -> Path:
    """A loop that nobody disturbed."""
    folder = job / "whole"
    assert run(words(job, folder)) == 0
    return folder


def words(job: Path, folder: Path, *options: str) -> list[str]:
    return ["active-learn", str(job / "loop.yaml"), "--output", str(folder), *options]


def reports(folder: Path) -> list[dict[str, Any]]:
    rounds: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text())["rounds"]
    return rounds


def started(whole: Path, folder: Path) -> Path:
    """A loop that has its first model and nothing else."""
    shutil.copytree(whole / "start", folder / "start")
    shutil.copy(whole / "active-learning.yaml", folder)
    return folder


def same(one: Path, two: Path, *, rounds: int) -> None:
    """Labels, weights and reports of the first rounds are equal to the bit."""
    for number in range(rounds):
        here, there = (folder / f"round-{number:02d}" for folder in (one, two))
        for name in ("labels.h5", "dataset.h5"):
            ours, theirs = read_dataset(here / name), read_dataset(there / name)
            assert set(ours) == set(theirs)
            for array in ours:
                np.testing.assert_array_equal(ours[array], theirs[array])
        for member in ("member-1", "member-2"):
            weights = [each / "model" / member / "model.safetensors" for each in (here, there)]
            assert weights[0].read_bytes() == weights[1].read_bytes()
    told = zip(reports(one)[: rounds + 1], reports(two)[: rounds + 1], strict=True)
    for ours, theirs in told:
        assert {**ours, "model": "", "stop": ""} == {**theirs, "model": "", "stop": ""}


def test_rounds_label_train_and_tell(whole: Path, job: Path) -> None:
    found = reports(whole)
    assert [report["round"] for report in found] == [0, 1, 2]
    assert found[-1]["stop"] == "2 rounds were labelled"
    labels = [report["labels"] for report in found]
    assert labels[0] == 32
    assert labels[0] < labels[1] < labels[2] <= labels[0] + 20
    assert all(report["test_frames"] == 8 for report in found)
    assert found[2]["force_mae_mev_per_angstrom"] < found[0]["force_mae_mev_per_angstrom"]
    for number in range(2):
        folder = whole / f"round-{number:02d}"
        chosen, labels_made = (
            read_frames(folder / "selected.h5"),
            read_dataset(folder / "labels.h5"),
        )
        assert len(chosen) == len(labels_made) <= 10
        groups = read_dataset(folder / "dataset.h5")["group"].tolist()
        assert sum(group.startswith(f"active-{number:02d}-") for group in groups) == len(chosen)
        with open_hdf5(folder / "selected.h5") as file:
            assert all(read_array(file, "reason").tolist())
        assert (folder / "model" / "committee.json").exists()
    assert not (whole / "round-02" / "selected.h5").exists()
    assert (whole / "summary.png").stat().st_size > 5000


def test_every_step_is_a_command_that_does_the_same_by_hand(whole: Path, tmp_path: Path) -> None:
    """The script of a round, with its results sent elsewhere, makes the same batch and dataset."""
    lines = (whole / "round-01" / "commands.sh").read_text().splitlines()
    by_hand = [shlex.split(line) for line in lines if line.startswith("namd ")]
    assert [command[1] for command in by_hand] == [
        "run",
        "active-learn",
        "label",
        "active-learn",
        "train",
    ]
    for command in by_hand[1:4]:
        output = command.index("--output") + 1
        command[output] = str(tmp_path / Path(command[output]).name)
        if command[1] == "label":
            command[2] = str(tmp_path / "selected.h5")
        if command[2] == "add":
            command[3] = str(tmp_path / "labels.h5")
        assert run(command[1:]) == 0
    ours = read_dataset(tmp_path / "dataset.h5")
    theirs = read_dataset(whole / "round-01" / "dataset.h5")
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_a_loop_killed_while_it_labels_goes_on_to_the_same_bits(whole: Path, job: Path) -> None:
    """Also over what kills left that came too early for a run or a training to be resumed."""
    folder = started(whole, job / "killed")
    here = folder / "round-00"
    (here / "run" / "parts").mkdir(parents=True)
    (here / ".selected.h5.x.part").touch()
    once = words(job, folder, "--set", "stop.rounds=1")
    process = subprocess.Popen([*COMMAND, *once])  # noqa: S603
    begun = here / "labels.h5.labelling" / "labels"
    for _ in range(2400):
        if len(list(begun.glob("[0-9]*.npz"))) >= 3 or process.poll() is not None:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= len(list(begun.glob("[0-9]*.npz"))) < 10
    finished = (here / "run" / "ensemble.h5").stat().st_mtime_ns
    (here / "model").mkdir()
    (here / "model" / ".train.yaml.x.part").touch()
    assert run(once) == 0
    assert (here / "run" / "ensemble.h5").stat().st_mtime_ns == finished
    same(whole, folder, rounds=1)
    assert not list(folder.rglob("*.part"))


def test_a_given_single_model_waits_for_labels_made_elsewhere(
    whole: Path, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = job / "elsewhere"
    given = f"model={whole / 'start/model/member-1'}"
    write_dataset(labelled(geometries(5, spread=0.1, seed=8), group="test"), job / "test.h5")
    changes = (given, "training.members=1", "labelling=null", "stop.rounds=1", "test=test.h5")
    by_hand = words(job, folder, *(word for change in changes for word in ("--set", change)))
    assert run(by_hand) == 75
    told = capsys.readouterr().err
    assert "Waiting" in told
    assert f"waiting for labels of {folder / 'round-00' / 'selected.h5'}" in told
    assert "ENGINE.yaml" in told
    assert not (folder / "start" / "model").exists()
    assert run(by_hand) == 75  # nothing is repeated, nothing lost
    chosen = read_frames(folder / "round-00" / "selected.h5")
    other = labelled(chosen.positions, group="by-hand")
    write_dataset(other, job / "other.h5")
    assert run(["data", "convert", str(job / "other.h5"), str(job / "other.xyz")]) == 0
    shutil.copy(job / "other.xyz", folder / "round-00" / "labels.h5")
    capsys.readouterr()
    assert run([*by_hand, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)  # what the steps have to say is not in it
    assert printed["stopped"] == "1 round was labelled"
    assert [report["labels"] for report in printed["rounds"]][1] == 32 + len(chosen)
    assert [report["test_frames"] for report in printed["rounds"]] == [5, 5]
    assert (folder / "round-00" / "model" / "README.md").exists()


def test_a_target_ends_it_and_a_stricter_rule_goes_on(
    whole: Path, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = started(whole, job / "targets")
    easy = ("--set", "stop.force_mev_per_angstrom=1e6")
    assert run(words(job, folder, *easy)) == 0
    assert "Stopped: all targets are met: force error" in capsys.readouterr().out
    assert not (folder / "round-00" / "selected.h5").exists()
    assert run(words(job, folder, "--set", "stop.labels=35")) == 0
    assert len(read_frames(folder / "round-00" / "selected.h5")) == 3
    assert "there are 35 labels" in capsys.readouterr().out
    nothing = ("--set", "selection={quantile: 1, degenerate_ev: null, closest: 1e9}")
    assert run(words(job, folder, "--set", "stop.labels=50", *nothing)) == 0
    assert "candidates is worth a label" in capsys.readouterr().out


def test_what_cannot_be_is_told_before_any_work(
    job: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(what: str, *command: str) -> None:
        assert run(list(command)) == 2
        assert what in capsys.readouterr().err

    new = job / "never"
    refused("training.members", *words(job, new, "--set", "training.members=0"))
    no_basis = 'run.overrides=["dynamics.electronic=local-diabatization"]'
    refused("no diabatic basis", *words(job, new, "--set", no_basis))
    refused("begun with another training.warm", *words(job, whole, "--set", "training.warm=false"))
    refused("holds no rounds", *words(job, whole / "start"))
    refused("no such file", "active-learn", "nowhere.yaml", "--output", str(new))
    other = (job / "label.yaml").read_text().replace("two bent states", "two straight states")
    (job / "other.yaml").write_text(other)
    elsewhere = started(whole, job / "straight")
    other_level = words(job, elsewhere, "--set", "labelling.config=other.yaml")
    refused("S0 S1 at two straight states, the first labels are of S0 S1 at two bent", *other_level)
    assert not (elsewhere / "round-00").exists()
    refused('Did you mean "select"', "active-learn", "selct")
    assert not new.exists()


def test_select_tells_reasons_and_label_reads_them(
    whole: Path, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "selected.h5"
    command = ["active-learn", "select", str(whole / "round-00/run"), str(job / "first.h5")]
    command += ["--model", str(whole / "start/model"), "--known", str(job / "first.h5")]
    command += ["-n", "6", "--set", "degenerate_ev=0.8", "--output", str(output), "--json"]
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["chosen"] == 6
    assert told["limits"]["degenerate"] == pytest.approx(0.8)
    assert told["candidates"] > 40
    with open_hdf5(output) as file:
        reasons = read_array(file, "reason").tolist()
        time_fs = read_array(file, "time", unit="hbar/hartree") * FS_PER_ATOMIC_TIME
        assert sorted(read_array(file, "rank").tolist()) == list(range(6))
        deviation = read_array(file, "force_deviation", unit="hartree/bohr")
        limit = told["limits"]["force"] / 51.422067
    known = {"energy", "gap", "force", "degenerate", "novel"}
    for reason, value in zip(reasons, deviation, strict=True):
        names = [name for name in reason.split(", ") if not name.startswith("parked: ")]
        assert set(names) <= known
        assert ("force" in names) == bool(value >= limit)
    assert np.nanmax(time_fs) <= 6.001
    # None of the labelled frames, which were offered as well, is chosen.
    assert all(group.startswith("run-") for group in read_frames(output).group.tolist())
    labels = ["label", str(output), "--config", str(job / "label.yaml")]
    assert run([*labels, "--output", str(tmp_path / "labels.h5")]) == 0
    assert len(read_dataset(tmp_path / "labels.h5")) == 6


def test_frames_are_thinned_in_the_features_of_a_model(
    whole: Path, job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def thinned(*options: str) -> list[str]:
        output = tmp_path / f"few-{len(list(tmp_path.iterdir()))}.h5"
        command = ["sample", "thin", str(job / "first.h5"), "-n", "7", "--output", str(output)]
        assert run([*command, *options]) == 0
        groups: list[str] = read_frames(output).group.tolist()
        return groups

    model = str(whole / "start/model")
    by_features = thinned("--model", model)
    assert "standard deviations from those before" in capsys.readouterr().out
    assert by_features == thinned("--model", f"{model}/member-1")
    assert by_features != thinned("--model", f"{model}/member-2")
    assert by_features != thinned()
    assert thinned("--model", model, "--closest", "100") == by_features[:1]


def test_add_says_what_it_did_or_why_not(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make_labelled: Callable[..., Any]
) -> None:
    new = labelled(geometries(5, spread=0.2, seed=9), group="x")
    write_dataset(new, tmp_path / "new.h5")
    known, output = str(job / "first.h5"), str(tmp_path / "all.h5")
    command = ["active-learn", "add", str(tmp_path / "new.h5"), "--to", known, "--output", output]
    assert run([*command, "--training", str(job / "train.yaml")]) == 0
    assert "40 + 5 = 45 frames, 5 new groups such as added-00-x-00" in capsys.readouterr().out
    assert run(command) == 2  # nothing is replaced unasked
    write_dataset(make_labelled(4), tmp_path / "other.h5")
    capsys.readouterr()
    command[2] = str(tmp_path / "other.h5")
    assert run([*command, "--force"]) == 3
    assert "the atoms differ" in capsys.readouterr().err


def test_the_configuration_is_documented(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", str(job / "loop.yaml")]) == 0
    assert "a valid active-learn configuration" in capsys.readouterr().err
    assert run(["config", "schema", "active-learn"]) == 0
    assert "parked_fraction" in capsys.readouterr().out
    assert run(["active-learn", "--help"]) == 0
    assert "select" in capsys.readouterr().out

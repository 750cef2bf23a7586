"""``namd train`` as a user meets it: the model folder, refusals, stops, kills."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from namd.cli.main import run
from namd.data.native import write_dataset
from namd.nn.model_folder import load_model, read_header
from namd.train import checkpoint

CONFIG = """
name: tiny
data: {file: labels.h5, validation: [walk-1], test: ["walk-2", "walk-3"]}
network: {kind: perceptron, hidden: 12, layers: 2}
optimiser: {epochs: 2, batch_size: 8, warmup_steps: 2, learning_rate: 0.01}
seed: 3
device: cpu
"""
MODEL_FILES = {
    "train.yaml",
    "model.json",
    "model.safetensors",
    "metrics.json",
    "README.md",
    "distance.safetensors",
    "parity.png",
    "log.csv",
    "checkpoint.pt",
    "checkpoint.previous.pt",
}
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, make_labelled: Callable[..., Any]) -> Path:
    write_dataset(make_labelled(32, states=2), tmp_path / "labels.h5")
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def train(config: Path, *options: str) -> int:
    return run(["train", str(config), *options])


def relabel(config: Path, dataset: Any) -> None:
    write_dataset(dataset, config.parent / "labels.h5", overwrite=True)


def refused(config: Path, capsys: Captured, *options: str, code: int) -> str:
    """What the user is told, when nothing must be left behind."""
    target = config.parent / "refused"
    assert train(config, "--output", str(target), *options) == code
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert "Internal error" not in shown.err
    assert not target.exists()
    return shown.err


def test_a_training_leaves_a_whole_model_folder(
    config: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "model"
    assert train(config, "--output", str(folder)) == 0
    shown = capsys.readouterr()
    assert {path.name for path in folder.iterdir()} == MODEL_FILES
    # What is told: the plan and the epochs on stderr, the errors on stdout.
    assert "tiny: CH4N, states S0 S1, springs between atoms" in shown.err
    assert "20 training, 4 validation, 8 test frames; 2 epochs of 3 steps" in shown.err
    assert "epoch 2/2" in shown.err
    for part in ("training", "validation", "test"):
        assert f"Errors on {part} frames" in shown.out
    assert f"namd evaluate {folder}" in shown.err
    # What is kept.
    header, information = read_header(folder)
    assert information.level_of_theory == "springs between atoms"
    assert load_model(folder).dtype == torch.float32
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["sha256"] == header["sha256"]
    assert metrics["groups"] == {"validation": ["walk-1"], "test": ["walk-2", "walk-3"]}
    assert [metrics["errors"][p]["frames"] for p in ("training", "validation", "test")] == [
        20,
        4,
        8,
    ]
    assert metrics["epochs_done"] == 2
    card = (folder / "README.md").read_text()
    assert "springs between atoms" in card
    assert f"number {metrics['best_epoch'] + 1}" in card
    assert f"{metrics['errors']['test']['gap_mae_mev']:.1f}" in card
    assert (folder / "parity.png").read_bytes().startswith(b"\x89PNG")
    with (folder / "log.csv").open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["0", "1"]


def test_the_stored_configuration_makes_the_same_weights(config: Path, tmp_path: Path) -> None:
    for name, source in (("one", config), ("two", tmp_path / "one" / "train.yaml")):
        data = ("--set", f"data.file={tmp_path / 'labels.h5'}")
        assert train(source, "--output", str(tmp_path / name), *data) == 0
    one, two = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("one", "two"))
    assert one == two


def test_set_overrides_the_file(config: Path, tmp_path: Path) -> None:
    changes = ("--set", "optimiser.epochs=1", "--set", "loss.derivatives=sampled")
    assert train(config, "--output", str(tmp_path / "model"), *changes, "--set", "name=x") == 0
    assert read_header(tmp_path / "model")[1].name == "x"
    stored = (tmp_path / "model" / "train.yaml").read_text()
    assert "epochs: 1\n" in stored
    assert "derivatives: sampled" in stored


def test_a_dry_run_checks_and_writes_nothing(
    config: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert train(config, "--dry-run") == 0
    shown = capsys.readouterr()
    assert "nothing was trained" in shown.out
    assert "perceptron network" in shown.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("config", "states"), [("models/stilbene-ssr/train.yaml", "S0 S1"), ("mace-64", "S0")]
)
def test_a_configuration_of_the_library_needs_no_folder(
    config: str, states: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ("--dry-run", "--set", "network={kind: perceptron, hidden: 4, layers: 1}")
    assert run(["train", config, *small]) == 0
    assert f"C14H12, states {states}" in capsys.readouterr().err


def test_the_default_folder_is_named_after_the_model(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train(config, "--set", "optimiser.epochs=1") == 0
    assert (tmp_path / "runs" / "tiny" / "model.json").is_file()


def test_what_exists_is_never_overwritten(config: Path, tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("precious")
    (tmp_path / "file").write_text("precious, too")
    for target in (folder, tmp_path / "file"):
        assert train(config, "--output", str(target)) == 2
        shown = capsys.readouterr().err
        assert "never overwritten" in shown
        assert "--resume" in shown
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert (tmp_path / "file").read_text() == "precious, too"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "optimizer.epochs=2"], 'Did you mean "optimiser"?'),
        (["--set", "optimiser.epoch=2"], 'Did you mean "epochs"?'),
        (["--set", "optimiser.learning_rate=-1"], "optimiser.learning_rate = -1"),
        (["--set", "network.kind=perzeptron"], 'Did you mean "perceptron"?'),
        (["--set", "network.channels=8"], "network.channels"),
        (["--set", "network={kind: mace, l_max: 2}"], "hidden_l = 3 is above l_max = 2"),
        (["--set", "network={kind: mace, layers: 1, fusion: dense}"], "at least 2 layers"),
        (["--set", "network={kind: cormorant, layers: 1, fusion: sparse}"], "at least 2 layers"),
        (["--set", "data.validation=[walk-9]"], "Near names: walk-"),
        (["--set", "data.validation=[walk-2]"], "claimed by test and by validation"),
        (["--set", "data.validation=[]"], "0 validation frames"),
        (["--set", "data.validation=['walk-*']", "--set", "data.test=[]"], "0 training"),
        (["--set", "diabats=1"], "cannot hold 2 states"),
        (["--set", "epochs"], "expected key=value"),
        (["--resume"], "no training to resume"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_wrong_configuration_is_refused_by_its_key(
    config: Path, capsys: Captured, options: list[str], message: str
) -> None:
    code = 3 if options == ["--resume"] else 2
    assert message in refused(config, capsys, *options, code=code)


def test_a_missing_configuration_is_refused(tmp_path: Path, capsys: Captured) -> None:
    assert "no such file" in refused(tmp_path / "none.yaml", capsys, code=2)


def test_missing_or_damaged_data_are_refused(config: Path, capsys: Captured) -> None:
    message = refused(config, capsys, "--set", "data.file=gone.h5", code=3)
    assert "gone.h5" in message
    assert "no such file" in message
    labels = config.parent / "labels.h5"
    whole = labels.read_bytes()
    labels.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refused(config, capsys, code=3)
    labels.write_text("frame, energy")
    assert "labels.h5" in refused(config, capsys, code=3)


@pytest.mark.parametrize("name", ["positions", "energies", "forces", "nonadiabatic_coupling"])
def test_labels_that_are_no_numbers_are_refused_by_their_frame(
    config: Path, capsys: Captured, make_labelled: Callable[..., Any], name: str
) -> None:
    values = make_labelled(32)[name].copy()
    values[7].flat[0] = np.nan
    relabel(config, make_labelled(32, arrays={name: values}))
    message = refused(config, capsys, code=3)
    assert "frame 7" in message
    assert name in message
    assert "not finite" in message


def test_missing_couplings_and_unknown_level_are_refused(
    config: Path, capsys: Captured, make_labelled: Callable[..., Any]
) -> None:
    relabel(config, make_labelled(32, coupling=False))
    assert "holds no couplings" in refused(config, capsys, code=3)
    relabel(config, make_labelled(32, level_of_theory="unknown"))
    assert "level of theory" in refused(config, capsys, code=3)


def test_real_labels_with_unknown_forces_and_three_states(
    config: Path, tmp_path: Path, capsys: Captured
) -> None:
    """SHARC computed the forces of the active state only: they train, as long as all are used."""
    real = ("--set", f"data.file={Path(__file__).parents[1] / 'data' / 'ch2nh2-sharc2.h5'}")
    groups = ("--set", "data.validation=[TRAJ_00002]", "--set", "data.test=[]")
    folder = tmp_path / "model"
    once = ("--set", "optimiser.epochs=1")
    assert train(config, "--output", str(folder), *real, *groups, *once) == 0
    errors = json.loads((folder / "metrics.json").read_text())["errors"]
    assert set(errors) == {"training", "validation"}
    assert all(state["force_mae_mev_per_angstrom"] > 0 for state in errors["validation"]["states"])
    capsys.readouterr()
    sampled = ("--set", "loss.derivatives=sampled")
    message = refused(config, capsys, *real, *groups, *sampled, code=3)
    assert "force of S0 and S1 and S2 is unknown" in message
    assert "frames 1, 2, 3, 4, 5 and 293 more" in message


def test_sampling_is_for_two_states(
    config: Path, capsys: Captured, make_labelled: Callable[..., Any]
) -> None:
    relabel(config, make_labelled(32, states=3))
    message = refused(config, capsys, "--set", "loss.derivatives=sampled", code=2)
    assert "2 states only, the data have 3" in message


def test_a_loss_that_overflows_is_a_physics_error(
    config: Path, tmp_path: Path, capsys: Captured
) -> None:
    heavy = ("--set", "loss.energy=1e308", "--set", "loss.gap=1e308")
    assert train(config, "--output", str(tmp_path / "model"), *heavy) == 4
    shown = capsys.readouterr().err
    assert re.search("the training loss is (inf|nan) in epoch 1", shown)
    assert "optimiser.learning_rate" in shown


def test_resuming_needs_the_same_configuration(
    config: Path, tmp_path: Path, capsys: Captured
) -> None:
    output = ("--output", str(tmp_path / "model"))
    assert train(config, *output) == 0
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    changed = ("--set", "optimiser.batch_size=4", "--set", "seed=4")
    assert train(config, *output, "--resume", *changed) == 2
    assert "began: optimiser.batch_size, seed" in capsys.readouterr().err
    # A complete training can be resumed without harm.
    assert train(config, *output, "--resume") == 0
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == weights


def test_a_folder_in_use_is_refused(config: Path, tmp_path: Path, capsys: Captured) -> None:
    from namd.io.run_folder import RunFolder, locked

    output = ("--output", str(tmp_path / "model"))
    assert train(config, *output) == 0
    with locked(RunFolder(tmp_path / "model")):
        assert train(config, *output, "--resume") == 2
    assert "another process" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_leaves_a_training_that_goes_on(
    *, config: Path, tmp_path: Path, capsys: Captured, number: signal.Signals, code: int
) -> None:
    longer = ("--set", "optimiser.epochs=8")
    assert train(config, "--output", str(tmp_path / "whole"), *longer) == 0
    target = tmp_path / "cut"

    def interrupt_once_it_runs() -> None:
        while not (target / checkpoint.CURRENT).exists():
            pass
        os.kill(os.getpid(), number)

    watcher = threading.Thread(target=interrupt_once_it_runs)
    watcher.start()
    assert train(config, "--output", str(target), *longer) == code
    watcher.join()
    program, *words = shlex.split(capsys.readouterr().err.splitlines()[-1])
    assert not (target / "model.json").exists()
    assert program == "namd"
    assert run(words) == 0  # the command that is told can be pasted
    assert (target / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()


def test_a_full_disk_leaves_a_training_that_goes_on(
    config: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    output = ("--output", str(tmp_path / "model"))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_bytes", full)
        assert train(config, *output) == 75
    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert "--resume" in shown
    assert train(config, *output, "--resume") == 0


def test_damaged_checkpoints_are_told_apart_from_none(
    config: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "model"
    output = ("--output", str(folder))
    assert train(config, *output) == 0
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1])
    assert train(config, *output, "--resume") == 3
    assert "cut short or altered" in capsys.readouterr().err
    # Killed before the first epoch was over: there is nothing yet, and it begins.
    weights = (folder / "model.safetensors").read_bytes()
    for path in folder.iterdir():
        if path.name != "train.yaml":
            path.unlink()
    assert train(config, *output, "--resume") == 0
    assert (folder / "model.safetensors").read_bytes() == weights


# Imports namd once, then forks trainings and kills them some time after their first epoch.
KILLER = """
import os, random, signal, sys, time
import torch
from namd.cli import console
from namd.cli.main import run
import namd.dynamics.stopping, namd.train.pipeline
console.note = lambda text: None
config, target, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
generator = random.Random(int(sys.argv[4]))
killed = 0
for _ in range(kills):
    argv = ["train", config, "--output", target]
    if os.path.exists(target + "/train.yaml"):
        argv.append("--resume")
    child = os.fork()
    if child == 0:
        os._exit(run(argv))
    while not os.path.exists(target + "/log.csv"):
        time.sleep(0.001)
    time.sleep(generator.uniform(0.0, 0.3))
    os.kill(child, signal.SIGKILL)
    killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print("killed", killed)
sys.exit(run(["train", config, "--output", target, "--resume"]))
"""


def test_killed_at_random_moments_and_resumed_is_bitwise_the_same(
    config: Path, tmp_path: Path
) -> None:
    config.write_text(CONFIG.replace("epochs: 2", "epochs: 30"))
    assert train(config, "--output", str(tmp_path / "whole")) == 0
    seed = int.from_bytes(os.urandom(2))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", KILLER, str(config), str(tmp_path / "killed"), "4", str(seed)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    assert int(done.stdout.split()[1]) >= 2, "the kills came too late to test anything"
    whole, killed = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")
    )
    assert whole == killed
    with (tmp_path / "killed" / "log.csv").open(newline="") as stream:
        assert [int(row["epoch"]) for row in csv.DictReader(stream)] == list(range(30))

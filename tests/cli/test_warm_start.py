"""Trainings that begin from an earlier model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from namd.cli.main import run
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.nn.model_folder import load_model

CONFIG = """
name: tiny
data: {file: labels.h5, validation: [walk-1], test: [walk-2]}
network: {kind: perceptron, hidden: 12, layers: 2}
optimiser: {epochs: 1, batch_size: 8, warmup_steps: 2, learning_rate: 0.01}
seed: 3
device: cpu
"""


@pytest.fixture
def config(tmp_path: Path, make_labelled: Callable[..., Any]) -> Path:
    write_dataset(make_labelled(32, states=2), tmp_path / "labels.h5")
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    assert train(path, "first") == 0
    return path


def train(config: Path, output: str, *changes: str) -> int:
    options = [word for change in changes for word in ("--set", change)]
    return run(["train", str(config), "--output", str(config.parent / output), *options])


def weights(config: Path, folder: str) -> dict[str, torch.Tensor]:
    return load_model(config.parent / folder).state_dict()


def test_it_goes_on_from_the_weights_and_normalisation_of_the_earlier_model(config: Path) -> None:
    # Steps this small move nothing, so that what is left is where the training began.
    still = ("optimiser.learning_rate=1e-12", "seed=4", "data.test=[walk-3]")
    assert train(config, "warm", "initial_weights=first", *still) == 0
    assert train(config, "cold", *still) == 0
    first, warm, cold = (weights(config, name) for name in ("first", "warm", "cold"))
    assert all(torch.allclose(warm[name], first[name], atol=1e-8) for name in first)
    assert any(not torch.allclose(cold[name], first[name], atol=1e-4) for name in first)
    assert "Began from the weights of first." in (config.parent / "warm/README.md").read_text()


@pytest.mark.parametrize("zero", [0.01, -500.0])
def test_the_zero_of_energy_follows_labels_of_another_method(
    config: Path, zero: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """What differs by a constant is learned already; what could be an error is left to learn."""
    path = config.parent / "labels.h5"
    labels = read_dataset(path)
    arrays = {**labels.arrays, "energies": labels["energies"] + zero}
    path.unlink()
    write_dataset(replace(labels, arrays=arrays), path)
    capsys.readouterr()
    assert train(config, "warm", "initial_weights=first", "optimiser.learning_rate=1e-12") == 0
    told = " ".join(capsys.readouterr().err.split())
    first, warm = (weights(config, name) for name in ("first", "warm"))
    moved = warm.pop("shift") - first.pop("shift")
    if zero == 0.01:
        assert torch.equal(moved, torch.zeros_like(moved))
        assert "zero of energy" not in told
    else:
        # By the mean error of the first model, too: less than an eV.
        torch.testing.assert_close(moved, torch.full_like(moved, zero), rtol=0, atol=0.04)
        assert moved.min() == pytest.approx(float(moved.max()), abs=1e-12)
        assert "eV from first: taken for those of another method" in told
    assert all(torch.allclose(warm[name], first[name], atol=1e-8) for name in first)


@pytest.mark.parametrize(
    "network",
    [
        "{kind: fusion, channels: 4, radial: 3}",
        "{kind: mace, channels: 4}",
    ],
)
def test_a_diabat_more_leaves_the_others_as_they_are(
    config: Path, network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    still = ("optimiser.learning_rate=1e-12", f"network={network}", "optimiser.epochs=1")
    assert train(config, "two", *still) == 0
    assert train(config, "three", *still, "diabats=3", "initial_weights=two") == 0
    positions = torch.from_numpy(read_dataset(config.parent / "labels.h5")["positions"][:5])
    two, three = (load_model(config.parent / name) for name in ("two", "three"))
    w, larger = two.hamiltonian(positions), three.hamiltonian(positions)
    torch.testing.assert_close(larger[:, :2, :2], w, rtol=0, atol=1e-8)
    assert larger[:, 0, 2].abs().min() > 0
    assert train(config, "fewer", *still, "initial_weights=three") == 2
    assert "to be trained in diabats" in " ".join(capsys.readouterr().err.split())


def test_its_checkpoint_wins_when_it_is_resumed(config: Path) -> None:
    more = ("initial_weights=first", "optimiser.epochs=2")
    assert train(config, "warm", *more) == 0
    done = weights(config, "warm")
    options = [word for change in more for word in ("--set", change)]
    again = ["train", str(config), "--output", str(config.parent / "warm"), "--resume", *options]
    assert run(again) == 0
    resumed = weights(config, "warm")
    assert all(torch.equal(resumed[name], done[name]) for name in done)


@pytest.mark.parametrize(
    ("change", "told"),
    [("network.hidden=10", "architecture"), ("diabats=3", "diabats")],
)
def test_another_network_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], change: str, told: str
) -> None:
    assert train(config, "warm", "initial_weights=first", change) == 2
    shown = capsys.readouterr().err
    assert f"differs from the one to be trained in {told}" in shown
    assert not (config.parent / "warm").exists()


def test_a_missing_model_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(config, "warm", "initial_weights=nowhere") == 3
    assert "no such model" in capsys.readouterr().err

"""A training whose labels lie in several files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from namd.cli.main import run
from namd.data.native import write_dataset
from namd.nn.model_folder import load_model

CONFIG = """
name: tiny
data: {file: all.h5, validation: [walk-1], test: [walk-2]}
network: {kind: perceptron, hidden: 12, layers: 2}
optimiser: {epochs: 1, batch_size: 8, warmup_steps: 2, learning_rate: 0.01}
seed: 3
device: cpu
"""


@pytest.fixture
def config(tmp_path: Path, make_labelled: Callable[..., Any]) -> Path:
    """Frames in one file, and the same in two, cut between groups."""
    dataset = make_labelled(32, states=2)
    late = np.isin(dataset["group"], ["walk-2", "walk-3"])
    dataset = dataset.select(np.argsort(late, kind="stable"))
    late.sort()
    write_dataset(dataset, tmp_path / "all.h5")
    write_dataset(dataset.select(np.flatnonzero(~late)), tmp_path / "early.h5")
    write_dataset(dataset.select(np.flatnonzero(late)), tmp_path / "late.h5")
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def train(config: Path, output: str, *changes: str) -> int:
    options = [word for change in changes for word in ("--set", change)]
    return run(["train", str(config), "--output", str(config.parent / output), *options])


def test_joined_files_train_like_one(config: Path) -> None:
    assert train(config, "one") == 0
    assert train(config, "two", "data.file=[early.h5, late.h5]") == 0
    one, two = (load_model(config.parent / name).state_dict() for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    stored = (config.parent / "two/train.yaml").read_text()
    assert "- early.h5" in stored


def test_a_network_can_be_described_before_it_is_trained(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(CONFIG.replace("all.h5", "[early.h5, late.h5]"))
    assert run(["models", "describe", str(config)]) == 0
    assert "CH4N" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "code", "told"),
    [
        ("[early.h5, gone.h5]", 3, "gone.h5"),
        ("[early.h5, early.h5]", 3, "is in an earlier dataset too"),
        ("[]", 2, "data.file"),
    ],
)
def test_what_cannot_be_joined_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], files: str, code: int, told: str
) -> None:
    assert train(config, "refused", f"data.file={files}") == code
    assert told in capsys.readouterr().err
    assert not (config.parent / "refused").exists()

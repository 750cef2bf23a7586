"""From an XYZ file to trajectories on a committee that has learned from them, with PySCF."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from namd.cli.main import run
from namd.config.active_learning import ActiveLearningConfig
from namd.config.labelling import LabellingConfig
from namd.config.loading import load_config
from namd.config.run import RunConfig
from namd.config.training import TrainingConfig
from namd.data.frames import read_frames
from namd.data.reading import read_dataset
from namd.io.ensemble import read_ensemble
from namd.io.library import library_roots

LIH = "2\n\nLi 0 0 0\nH 0 0 1.6\n"
ENGINE = {"engine": {"name": "pyscf", "basis": "sto-3g"}}
TRAIN = {
    "data": {"file": "labels.h5", "validation": ["wigner-*1"], "test": ["wigner-*2"]},
    "network": {"kind": "perceptron", "hidden": 16, "layers": 2},
    "optimiser": {"epochs": 3, "batch_size": 4},
}
RUN = {
    "potential": {"model": "."},
    "initial_conditions": {"method": "wigner", "geometry": {"file": "minimum.h5"}, "state": 1},
    "dynamics": {"timestep_fs": 0.5, "duration_fs": 2, "electronic": "nac-vectors"},
    "output": {"every_steps": 1},
    "trajectories": 3,
}
ACTIVE = {
    "run": {"config": "run.yaml"},
    "training": {"config": "train.yaml", "members": 2},
    "labelling": {"config": "engine.yaml"},
    "selection": {"budget": 4, "closest": 0, "fill": True},
    "stop": {"rounds": 1, "parked_fraction": None},
}


def test_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyscf")
    (tmp_path / "lih.xyz").write_text(LIH)
    files = {"engine": ENGINE, "train": TRAIN, "run": RUN, "active": ACTIVE}
    for name, content in files.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))

    def namd(command: str) -> str:
        words = [str(tmp_path / w) if "." in w else w for w in command.split()]
        assert run(words) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    assert "1 mode" in namd(
        "sample hessian lih.xyz --config engine.yaml --relax --output minimum.h5"
    )
    length = np.ptp(read_frames(tmp_path / "minimum.h5").positions[0, :, 2])
    assert 2.7 < length < 3.2  # Bohr
    namd("sample wigner minimum.h5 -n 12 --output wigner.h5")
    shown = namd("label wigner.h5 --config engine.yaml --verify 1 --output labels.h5")
    assert "12 frames of HLi at SA2-CASSCF(2,2)/sto-3g" in shown
    assert "disagrees" not in shown
    namd("data check labels.h5")
    namd("active-learn active.yaml --output rounds.out")
    told = json.loads((tmp_path / "rounds.out" / "summary.json").read_text())
    first, second = (each["labels"] for each in told["rounds"])
    assert first == 11  # one of twelve is the test
    assert 11 < second <= 15  # repeats are left out
    grown = read_dataset(tmp_path / "rounds.out" / "round-00" / "dataset.h5")
    assert len(grown) == second + 1
    last = tmp_path / "rounds.out" / "round-01" / "run"
    assert len(read_ensemble(last).trajectory_id) == 3
    assert "S1" in namd("analyze populations rounds.out/round-01/run")


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("engine", LabellingConfig),
        ("train", TrainingConfig),
        ("run", RunConfig),
        ("on-the-fly", RunConfig),
        ("active", ActiveLearningConfig),
    ],
)
def test_the_shipped_configurations_are_right(name: str, section: type) -> None:
    load_config(library_roots()[0] / "models" / "ethylene-casscf" / f"{name}.yaml", section)

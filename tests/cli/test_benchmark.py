"""``namd benchmark throughput`` as a user meets it."""

import json
import shutil
from pathlib import Path

import pytest

from namd.cli.main import run
from namd.io.library import find_model

DATA = Path(__file__).parents[1] / "data" / "stilbene-ssr22-mini.h5"
QUICK = ["--seconds", "0.001", "--repeats", "2"]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A training configuration of a small MoFD."""
    path = tmp_path / "plan.yaml"
    network = "{kind: mace, channels: 2, l_max: 2, hidden_l: 1, radial_hidden: [4], fusion: sparse}"
    path.write_text(
        f"name: plan\ndata: {{file: {DATA}, validation: [twist-0962]}}\nnetwork: {network}\n"
        "optimiser: {batch_size: 2}\n"
    )
    return path


def throughput(*arguments: str) -> int:
    return run(["benchmark", "throughput", *arguments, *QUICK])


def test_json_has_machine_steps_and_training(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert throughput(str(plan), "--batch", "2,1", "--threads", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["threads"] == 1
    assert {"torch", "processor", "namd", "device", "date"} <= set(found["machine"])
    (network,) = found["networks"]
    assert run(["models", "describe", str(plan), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    for key in ("name", "states", "parameters", "flops_per_molecule"):
        assert network[key] == described[key]
    assert (network["measured"], network["run"]) == ("step", "stilbene-cis")
    assert (network["trained"], network["architecture"]) == (False, "mace")
    assert [row["batch"] for row in network["dynamics"]] == [1, 2]
    for row in network["dynamics"]:
        rate = row["steps_per_second"]
        assert 0 < rate["lowest"] <= rate["median"] <= rate["highest"]
    assert network["training"]["frames_per_second"]["median"] > 0
    assert network["training"]["states"] == 2


def test_one_state_has_its_potential_timed_alone(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ["--set", "data.states=1", "--no-training", "--batch", "1"]
    assert throughput(str(plan), *only) == 0
    shown = capsys.readouterr()
    assert "plan (mace, fresh weights, S0," in shown.out
    assert "training:" not in shown.out
    assert "potential alone: the library has no run" in shown.err
    assert throughput(str(plan), *only, "--json") == 0
    (network,) = json.loads(capsys.readouterr().out)["networks"]
    assert network["measured"] == "potential"
    assert network["dynamics"][0]["steps_per_second"] is None
    assert network["training"] is None


def test_a_model_without_configuration_is_timed_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("model.json", "model.safetensors"):
        shutil.copy(find_model("stilbene-ssr") / name, folder)
    assert throughput(str(folder), "--batch", "1,33", "--longest", "0") == 0
    shown = capsys.readouterr()
    assert "stilbene-ssr (fusion, trained, S0 S1, 133424 parameters)" in shown.out
    assert "left out:" in shown.out
    assert "no training: " in shown.err
    assert "train.yaml: there is no such file" in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--batch", "1,no"], 2, "no list of positive numbers"),
        (["--batch", "0"], 2, "no list of positive numbers"),
        (["--device", "abacus"], 2, "no such device"),
        (["stilbene-ssr", "--set", "network.channels=8"], 2, "is a trained model"),
        (["nothing-like-it"], 3, "no such model"),
        (["absent.yaml"], 2, "no such file"),
    ],
)
def test_what_cannot_be_timed_is_refused(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert throughput(*arguments) == code
    assert said in capsys.readouterr().err

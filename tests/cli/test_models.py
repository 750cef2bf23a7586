"""``namd models``: what is in the zoo, and what each model is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from namd.cli.main import run
from namd.io import library

HEADER = {
    "format": "namd-model",
    "format_version": 1,
    "name": "water",
    "molecule": {"atomic_numbers": [8, 1, 1], "masses": [29164.0, 1837.0, 1837.0], "charge": 1},
    "states": ["D0", "D1"],
    "level_of_theory": "guesswork",
    "architecture": {"kind": "perceptron", "hidden": 8, "layers": 2},
    "sha256": "ab" * 32,
}
ERRORS = {
    "frames": 7,
    "states": [{"energy_mae_mev": 1.5, "force_mae_mev_per_angstrom": 2.5}] * 2,
    "gap_mae_mev": 3.5,
    "coupling_r2": None,
    "coupling_cosine": 0.875,
    "bins": [],
}


@pytest.fixture
def water(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with one model, and a folder of notes that is none."""
    folder = tmp_path / "models" / "water"
    folder.mkdir(parents=True)
    (tmp_path / "models" / "notes").mkdir()
    (folder / "model.json").write_text(json.dumps(HEADER))
    monkeypatch.setattr(library, "library_roots", lambda: [tmp_path])
    return folder


PUBLISHED = {
    "mace-64": 330_320,
    "mace-128": 979_088,
    "mofd-sparse-16": 66_784,
    "mofd-sparse-32": 141_168,
    "cormorant": 83_168,
    "cofd": 94_112,
}


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_describe_counts_the_parameters_of_the_published_configurations(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "describe", name, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["parameters"] == PUBLISHED[name]
    assert facts["states"] == ["S0"]
    assert Path(facts["file"]).read_text().count(f"{PUBLISHED[name]:_}".replace("_", " ")) == 1


def test_describe_shows_what_a_configuration_would_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "describe", "models/controls/perceptron-stilbene.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "C14H12" in shown
    assert "perceptron: hidden 256, layers 3" in shown
    assert "untrained, 215" in shown
    assert run(["models", "describe", str(tmp_path / "gone.yaml")]) == 3
    assert "no such model" in capsys.readouterr().err


def test_list_names_every_model_and_what_it_knows(
    water: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "list"]) == 0
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.split() == ["water", "H2O", "D0", "D1", "guesswork"]
    assert run(["models", "list", "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    assert facts["states"] == ["D0", "D1"]
    assert facts["charge"] == 1
    assert facts["folder"] == str(water)


def test_describe_shows_network_and_errors(water: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "describe", "water"]) == 0
    shown = capsys.readouterr()
    assert "H2O, charge +1" in shown.out
    assert "perceptron: hidden 8, layers 2" in shown.out
    assert "namd evaluate" in shown.err  # no metrics yet
    training = {"parameters": 321, "training_frames": 50, "epochs_done": 7}
    (water / "metrics.json").write_text(json.dumps(training | {"errors": {"test": ERRORS}}))
    assert run(["models", "describe", str(water)]) == 0
    shown = capsys.readouterr()
    assert "Errors on test frames" in shown.out
    assert "0.875" in shown.out
    assert "321 parameters" in shown.out
    assert "50 frames, 7 epochs" in shown.out
    assert run(["models", "describe", "water", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["errors"] == {"test": ERRORS}
    assert facts["parameters"] == 321


def test_a_damaged_record_of_the_training_is_refused(
    water: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (water / "metrics.json").write_text(json.dumps({"errors": {"test": ERRORS}}))
    assert run(["models", "describe", "water"]) == 3
    assert "cannot be read: 'parameters'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a namd-model header"),
        (json.dumps(HEADER | {"format_version": 9}), "format version 9"),
        (json.dumps({k: v for k, v in HEADER.items() if k != "molecule"}), "header is damaged"),
    ],
)
def test_a_damaged_header_is_refused(
    water: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    (water / "model.json").write_text(content)
    assert run(["models", "describe", "water"]) == 3
    shown = capsys.readouterr().err
    assert said in shown
    assert str(water / "model.json") in shown


def test_a_folder_that_is_no_model_and_a_name_that_is_unknown(
    water: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "describe", str(tmp_path)]) == 3
    assert "not a model folder" in capsys.readouterr().err
    assert run(["models", "describe", "watr"]) == 3
    assert 'Did you mean "water"? The zoo holds water' in capsys.readouterr().err


def test_models_imports_no_torch() -> None:
    code = (
        "import sys; from namd.cli.main import run; run(['models', 'list']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr.decode()

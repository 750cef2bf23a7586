"""``namd models``: what is in the zoo, and what each model is."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from namd.cli.main import run
from namd.io import library

SVG = "{http://www.w3.org/2000/svg}"
HEADER = {
    "format": "namd-model",
    "format_version": 1,
    "name": "water",
    "molecule": {"atomic_numbers": [8, 1, 1], "masses": [29164.0, 1837.0, 1837.0], "charge": 1},
    "states": ["D0", "D1"],
    "level_of_theory": "guesswork",
    "architecture": {"kind": "perceptron", "hidden": 8, "layers": 2},
    "diabats": 2,
    "dtype": "float32",
    "sha256": "ab" * 32,
}
SIZE = (3 * 8 + 8) + (8 * 8 + 8) + (8 * 3 + 3)  # three distances, two hidden layers, W00 W01 W11
DATA = Path(__file__).parents[1] / "data" / "stilbene-ssr22-mini.h5"
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
    assert "untrained" in shown
    assert "215" in shown
    assert run(["models", "describe", str(tmp_path / "gone.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err


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
    assert f"{SIZE} parameters" in shown.out
    assert "namd evaluate" in shown.err  # no metrics yet
    training = {"training_frames": 50, "epochs_done": 7}
    (water / "metrics.json").write_text(json.dumps(training | {"errors": {"test": ERRORS}}))
    assert run(["models", "describe", str(water)]) == 0
    shown = capsys.readouterr()
    assert "Errors on test frames" in shown.out
    assert "0.875" in shown.out
    assert "50 frames, 7 epochs" in shown.out
    assert run(["models", "describe", "water", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["errors"] == {"test": ERRORS}
    assert facts["parameters"] == SIZE
    assert [layer["module"] for layer in facts["layers"]] == ["body"]
    assert facts["layers"][0]["flops"] == 2 * (3 * 8 + 8 * 8 + 8 * 3) + 2 * 8


def test_a_damaged_record_of_the_training_is_refused(
    water: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (water / "metrics.json").write_text(json.dumps({"errors": {"test": ERRORS}}))
    assert run(["models", "describe", "water"]) == 3
    assert "cannot be read: 'training_frames'" in capsys.readouterr().err


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


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A training configuration of a small fusion network."""
    path = tmp_path / "plan.yaml"
    network = "{kind: fusion, channels: 4, correlation: 2, hidden: 8, radial: 3}"
    path.write_text(f"name: plan\ndata: {{file: {DATA}}}\nnetwork: {network}\ndiabats: 3\n")
    return path


def test_describe_counts_the_network_a_configuration_plans(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "describe", str(plan), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["molecule"], facts["folder"]) == ("plan", "C14H12", None)
    layers = {layer["module"]: layer for layer in facts["layers"]}
    assert list(layers) == ["pairs", "density", "first", "layers.0", "readout"]
    assert layers["first"]["irreps"] == "4x0e+4x1o"
    assert layers["first"]["diagrams"] == ["A1:0e+1o+2e", "(A1:0e+1o+2e A2:0e+1o+2e)0e+1o"]
    assert layers["readout"]["irreps"] == "6x0e"  # of a W of size three
    assert facts["parameters"] == sum(layer["parameters"] for layer in layers.values())
    assert facts["flops_per_molecule"] >= sum(layer["flops"] for layer in layers.values()) > 0
    held_out = ["--set", "data.validation=[twist-0962]"]
    assert run(["train", str(plan), "--dry-run", *held_out]) == 0
    assert f"{facts['parameters']} parameters" in capsys.readouterr().err
    assert run(["models", "describe", str(plan)]) == 0
    shown = capsys.readouterr()
    assert "layers.0  (((M1:0e+1o+2e h:0e+1o)0e+1o+2e A1:0e+1o+2e)0e+1o+2e" in shown.out
    assert f"config    {plan}" in shown.out
    assert "evaluate" not in shown.err


def test_diagram_prints_and_draws_every_product(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = tmp_path / "diagrams.svg"
    assert run(["models", "diagram", str(plan), "--figure", str(figure)]) == 0
    shown = capsys.readouterr().out
    assert "first → 4x0e+4x1o" in shown
    assert "    A1:0e+1o+2e ─╮\n                 ├─ 0e+1o\n    A2:0e+1o+2e ─╯\n" in shown
    drawn = ET.fromstring(figure.read_text(encoding="utf-8"))  # noqa: S314
    titles = [group.findtext(f"{SVG}title") for group in drawn.findall(f"{SVG}g")]
    assert run(["models", "diagram", str(plan), "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)
    assert [layer["module"] for layer in layers] == ["first", "layers.0"]
    assert titles == [text for layer in layers for text in layer["diagrams"]]
    assert all(text in shown for text in titles)


def test_diagram_says_so_if_there_is_none(
    water: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = tmp_path / "none.svg"
    assert run(["models", "diagram", "water", "--figure", str(figure)]) == 0
    shown = capsys.readouterr()
    assert not shown.out
    assert "a perceptron network has no fusion diagrams" in shown.err
    assert not figure.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("diagrams.png", "drawn as SVG only"), ("nowhere/diagrams.svg", "does not exist")],
)
def test_a_figure_that_cannot_be_written_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert run(["models", "diagram", "no-such-model", "--figure", str(tmp_path / name)]) == 2
    assert said in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used_is_refused(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "describe", str(plan.with_name("absent.yaml"))]) == 2
    assert "absent.yaml" in capsys.readouterr().err
    plan.write_text(plan.read_text().replace("diabats: 3", "diabats: 1"))
    assert run(["models", "diagram", str(plan)]) == 2
    assert "W of size 1 cannot hold 2 states" in capsys.readouterr().err
    plan.write_text(plan.read_text().replace(str(DATA), "absent.h5"))
    assert run(["models", "diagram", str(plan)]) == 3
    assert "absent.h5" in capsys.readouterr().err


def test_list_imports_no_torch() -> None:
    code = (
        "import sys; from namd.cli.main import run; run(['models', 'list']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr.decode()

"""``namd validate sharc`` as a user meets it."""

import json
import shutil
from pathlib import Path

import pytest

from namd.cli.main import run

DATA = Path(__file__).parents[1] / "data"
HOP = DATA / "sharc2-ch2nh2-hop-down.dat"


def test_json_has_the_promised_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "sharc", str(HOP), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: found[name] for name in ("steps", "hops", "atoms", "states")} == {
        "steps": 4,
        "hops": 1,
        "atoms": 6,
        "states": 3,
    }
    largest = found["max_deviation"]
    assert 0 < largest["positions"] < 1e-11
    assert 0 < largest["amplitudes"] < 1e-12
    assert 0 < largest["hop_probabilities"] < 1e-12
    assert 0 < largest["rescaled_velocities"] < 1e-13
    assert 0 < largest["velocities"] < 1e-13
    assert found["settings_from"] is None


def test_the_table_names_quantities_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "sharc", str(HOP)]) == 0
    shown = capsys.readouterr()
    assert "6 atoms, 3 states, 4 steps, 1 hop" in shown.out
    assert "rescaled velocities" in shown.out
    assert "Settings (assumed): coupling nacdr, ekincorrect parallel_nac" in shown.out
    assert shown.err == ""


def test_the_input_beside_the_file_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "output.dat"
    shutil.copy(HOP, output)
    (tmp_path / "input").write_text("nstates 3\ncoupling nacdr\nekincorrect parallel_nac\n")
    assert run(["validate", "sharc", str(output), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings_from"] == str(tmp_path / "input")
    assert found["settings"]["decoherence_scheme"] == "none"
    assert found["max_deviation"]["amplitudes"] > 1e-6  # the file was made with decoherence
    (tmp_path / "other").write_text("nstates 3\ncoupling overlap\n")
    assert run(["validate", "sharc", str(output), "--input", str(tmp_path / "other")]) == 3
    assert "coupling overlap" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.dat", "README.md"])
def test_files_that_are_no_trajectory_are_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "sharc", str(DATA / name)]) == 3
    shown = capsys.readouterr()
    assert name in shown.err
    assert shown.out == ""


def test_the_group_lists_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--help"]) == 0
    assert "sharc" in capsys.readouterr().out

"""``namd label``: killed, stopped, resumed, verified."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from namd.cli.main import run
from namd.data.reading import read_dataset
from namd.qm.registry import ENGINES

CONFIG = """
engine:
  callable: two_state:label
  arguments: {calls: CALLS, seconds: 0.05}
  positions_unit: bohr
  level_of_theory: two parabolas
  energies: {key: energies, unit: hartree}
  forces: {key: gradients, unit: hartree/bohr, kind: gradient}
  couplings: {key: coupling, unit: hartree/bohr, kind: interstate}
  diabatic_hamiltonian: {key: matrix, unit: hartree}
  guess: {}
chain_length: 5
"""
LENGTHS = np.linspace(1.0, 2.0, 20)
COMMAND = [sys.executable, "-c", "from namd.cli.main import main; main()"]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    shutil.copy("tests/data/two_state.py", tmp_path)
    (tmp_path / "job.yaml").write_text(CONFIG.replace("CALLS", str(tmp_path / "calls")))
    positions = np.zeros((len(LENGTHS), 2, 3))
    positions[:, 1, 1], positions[:, 1, 2] = 0.3, LENGTHS
    with h5py.File(tmp_path / "frames.h5", "w") as file:
        file["atomic_numbers"] = [1, 1]
        file["positions"] = positions
        file["group"] = ["a"] * 12 + ["b"] * 8
    return tmp_path


def words(job: Path, output: str, *options: str) -> list[str]:
    paths = [str(job / "frames.h5"), "--config", str(job / "job.yaml")]
    return ["label", *paths, "--output", str(job / output), *options]


def calls(job: Path) -> np.ndarray:
    return np.array([float(line) for line in (job / "calls").read_text().split()])


def wait_for_labels(folder: Path, number: int) -> None:
    for _ in range(1200):
        if len(list(folder.glob("labels/[0-9]*.npz"))) >= number:
            return
        time.sleep(0.05)
    pytest.fail("no labels came")


def wait_until_silent(job: Path) -> None:
    """Until no orphan makes calls any more."""
    before = -1
    while before != (before := len(calls(job))):
        time.sleep(0.5)


def test_a_killed_labelling_goes_on_to_the_same_bits(job: Path) -> None:
    assert run(words(job, "whole.h5", "--workers", "2")) == 0
    reference = read_dataset(job / "whole.h5")
    (job / "calls").unlink()

    folder = job / "killed.h5.labelling"
    command = [*COMMAND, *words(job, "killed.h5", "--workers", "2")]
    process = subprocess.Popen(command)  # noqa: S603
    wait_for_labels(folder, 4)
    process.kill()
    process.wait()
    wait_until_silent(job)
    finished = {path.name: path.read_bytes() for path in folder.glob("labels/[0-9]*.npz")}
    assert 4 <= len(finished) < len(LENGTHS)
    assert run(words(job, "killed.h5")) == 2  # it has been begun

    assert run(words(job, "killed.h5", "--collect", str(job / "some.h5"))) == 0
    rows = sorted(int(name.partition(".")[0]) for name in finished)
    some = read_dataset(job / "some.h5")
    assert all(np.array_equal(some[name], reference[name][rows]) for name in reference)
    story = json.loads((job / "some.h5.json").read_text())
    assert [frame["frame"] for frame in story["frames"]] == rows
    assert not (job / "killed.h5").exists()

    assert run(words(job, "killed.h5", "--resume", "--set", "title=Two parabolas")) == 0
    resumed = read_dataset(job / "killed.h5")
    assert resumed.title == "Two parabolas"
    assert set(resumed) == set(reference)
    assert all(np.array_equal(resumed[name], reference[name]) for name in reference)
    # Of finished frames none was done twice; at most those under way were.
    lengths = [LENGTHS[int(name.partition(".")[0])] for name in finished]
    assert all(np.sum(np.abs(calls(job) - length) < 1e-5) == 1 for length in lengths)
    assert len(calls(job)) <= len(LENGTHS) + 2
    assert not folder.exists()
    assert run(words(job, "killed.h5", "--resume")) == 0  # nothing is left to do


def test_labels_are_collected_while_others_are_made(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collect = ["--collect", str(job / "some.h5")]
    slowly = ["--set", f"engine.arguments={{calls: {job / 'calls'}, seconds: 0.3}}"]
    assert run(words(job, "out.h5", *slowly, *collect)) == 2
    assert "no labelling into this dataset was begun" in capsys.readouterr().err
    process = subprocess.Popen([*COMMAND, *words(job, "out.h5", *slowly)])  # noqa: S603
    wait_for_labels(job / "out.h5.labelling", 2)
    assert run(words(job, "out.h5", *slowly, *collect)) == 0
    assert f"of {len(LENGTHS)} frames" in capsys.readouterr().out
    assert run(words(job, "out.h5", *slowly, *collect)) == 2
    assert "exists and is not overwritten" in capsys.readouterr().err
    assert run(words(job, "out.h5", *slowly, "--collect", str(job / "out.h5"))) == 2
    assert "where the labelling itself will write" in capsys.readouterr().err
    assert run(words(job, "out.h5", *collect, "--force")) == 2
    assert "another engine.arguments" in capsys.readouterr().err
    assert process.poll() is None
    assert process.wait(timeout=120) == 0
    some, whole = read_dataset(job / "some.h5"), read_dataset(job / "out.h5")
    assert 2 <= len(some) < len(whole) == len(LENGTHS)
    assert np.array_equal(some["forces"], whole["forces"][: len(some)])
    assert run(words(job, "out.h5", *slowly, *collect, "--force")) == 2
    assert "this labelling is complete" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_stop_finishes_labels_under_way_and_tells_how_to_go_on(
    job: Path, number: int, code: int
) -> None:
    command = [*COMMAND, *words(job, "out.h5")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603
    folder = job / "out.h5.labelling"
    wait_for_labels(folder, 2)
    process.send_signal(number)
    _, talk = process.communicate(timeout=120)
    assert process.returncode == code
    assert "finishing the labels under way" in talk
    assert "--resume" in talk
    labels = len(list(folder.glob("labels/[0-9]*.npz")))
    assert len(calls(job)) == labels
    assert not (job / "out.h5").exists()


def test_the_story_beside_the_dataset(
    job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    failing = f"engine.arguments={{seconds: 0.0, fail: [{LENGTHS[3]}]}}"
    code = run(words(job, "out.h5", "--workers", "2", "--verify", "2", "--set", failing))
    assert code == 0
    shown = capsys.readouterr()
    assert "1 of 20 frames failed" in shown.err
    assert "frame 3: RuntimeError: no convergence in 50 iterations" in shown.err
    assert "19 frames of H2 at two parabolas" in shown.out
    assert "agrees: 12 agree, 0 disagree, 0 undecided" in shown.out
    story: dict[str, Any] = json.loads((job / "out.h5.json").read_text())
    assert (story["labelled"], story["failed"]) == (19, 1)
    assert [row["frame"] for row in story["frames"]] == [k for k in range(20) if k != 3]
    assert story["verification"]["verdict"] == "agrees"
    dataset = read_dataset(job / "out.h5")
    step = dataset.provenance["steps"][-1]
    assert step["engine"]["level_of_theory"] == dataset.level_of_theory == "two parabolas"
    assert step["config"]["engine"]["callable"] == "two_state:label"
    assert step["seconds_per_label"]["total"] >= 0
    assert dataset["group"].tolist() == ["a"] * 11 + ["b"] * 8
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_wrong_forces_end_with_the_code_of_a_physics_error(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "engine.arguments={wrong: 0.01}"
    assert run(words(job, "out.h5", "--verify", "1", "--set", wrong)) == 4
    shown = capsys.readouterr()
    assert "disagrees" in shown.out
    assert "labels differ from finite differences" in shown.err
    assert (job / "out.h5").exists()


def test_what_is_asked_wrongly_is_told(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(code: int, what: str, *command: str) -> None:
        assert run(list(command)) == code
        assert what in capsys.readouterr().err

    refused(2, "expected one of: dftbplus", *words(job, "o.h5", "--engine", "orca"))
    refused(2, "is for the engine callable", *words(job, "o.h5", "--engine", "dftbplus"))
    refused(2, "engine.energies.unit", *words(job, "o.h5", "--set", "engine.energies.unit=mile"))
    frames = str(job / "frames.h5")
    output = ["--output", str(job / "o.h5")]
    refused(2, "which engine is to compute", "label", frames, *output)
    refused(2, "engine.parameters", "label", frames, "--engine", "dftbplus", *output)
    refused(3, "cannot be read", "label", str(job / "no.h5"), *words(job, "o.h5")[2:])
    (job / "o.h5").touch()
    refused(2, "exists and is not overwritten", *words(job, "o.h5"))


def test_the_configuration_is_documented_and_checked(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "schema", "label"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"DftbplusConfig", "PyscfConfig", "CallableConfig"} <= set(schema["$defs"])
    assert run(["config", "check", str(job / "job.yaml")]) == 0
    assert "a valid label configuration" in capsys.readouterr().err
    assert run(["label", "--help"]) == 0
    help_text = capsys.readouterr().out
    assert help_text.index("Examples") < help_text.index("FRAMES is")
    *names, last = ENGINES
    assert f"{', '.join(names)} or {last}" in " ".join(help_text.split())
    assert all(f"`{name}`" in Path("docs/engines.md").read_text() for name in ENGINES)


def test_the_ground_state_from_an_ase_calculator(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = job / "ase.yaml"
    config.write_text(
        "engine: {name: ase, calculator: 'ase.calculators.morse:MorsePotential', "
        "arguments: {r0: 0.74, rho0: 1.5, rcut1: 50.0, rcut2: 60.0}, level_of_theory: Morse}\n"
    )
    frames, output = str(job / "frames.h5"), job / "ase.h5"
    asked = ["label", frames, "--config", str(config), "--output", str(output), "--verify", "2"]
    assert run(asked) == 0
    assert "4 agree, 0 disagree, 0 undecided" in capsys.readouterr().out
    dataset = read_dataset(output)
    assert dataset.states.labels == ("S0",)
    assert dataset["forces"].shape == (len(LENGTHS), 1, 2, 3)
    assert dataset.level_of_theory == "Morse"

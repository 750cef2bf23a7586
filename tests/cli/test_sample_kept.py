"""``namd sample`` on an engine loses no label: killed searches go on, and all become a dataset."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as build

from namd.cli.main import run
from namd.data.frames import read_frames
from namd.data.reading import read_dataset

ENGINE = '''
import os
from pathlib import Path

import numpy as np

G, H = 0.05 * np.random.default_rng(1).normal(size=(2, 6, 3))
G, H = (x - x.mean(0) for x in (G, H))


def label(symbols, positions, origin=None, guess=None):
    """Two linear diabats in a bowl; a chain of k guesses raises the energy a little."""
    log = Path(os.environ["CALLS"])
    calls = len(log.read_text()) if log.exists() else 0
    if calls == int(os.environ.get("DIE_AT", -1)):
        raise KeyboardInterrupt
    log.write_text((calls + 1) * "x")
    chain = 0 if guess is None else int(guess["length"][0])
    r = positions - np.array(origin)
    a, b = 0.02 + (G * r).sum(), (H * r).sum()
    root = np.hypot(a, b)
    slope = (a * G + b * H) / root
    bowl, pull = 0.15 * (r**2).sum() + 1e-12 * chain, 0.3 * r
    bowl += float(os.environ.get("DROP", 0)) * (chain > 0)
    return {
        "energies": [bowl - root, bowl + root],
        "gradients": [pull - slope, pull + slope],
        "h": (a * H - b * G) / root,
        "guess": {"length": np.array([chain + 1])},
    }
'''
SECTION = """engine:
  callable: counted_states:label
  arguments: {origin: ORIGIN}
  positions_unit: bohr
  level_of_theory: two linear diabats
  energies: {key: energies, unit: hartree}
  forces: {key: gradients, unit: hartree/bohr, kind: gradient}
  couplings: {key: h, unit: hartree/bohr, kind: interstate}
  guess: {argument: guess, key: guess}
"""
MECI = ("meci", "--frame", "0", "--frame", "1", "--force-tolerance", "1e-3")
SEARCHES = {
    "meci": MECI,
    "relax": ("relax", "--frame", "1", "--state", "0"),
    "descend": ("descend", "--frame", "1", "--state", "0", "--points", "4", "--length", "0.5"),
    "scan": ("scan", "--frame", "0", "--torsion", "2-0-1-4", "--angles", "0,2", "--relax"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine, and two geometries beside its cone."""
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    (tmp_path / "counted_states.py").write_text(ENGINE)
    ethylene = build("C2H4")
    moved = ethylene.copy()
    moved.rattle(0.05, seed=1)
    ethylene.write(tmp_path / "starts.xyz")
    moved.write(tmp_path / "starts.xyz", append=True)
    origin = read_frames(tmp_path / "starts.xyz").positions[0].tolist()
    (tmp_path / "engine.yaml").write_text(SECTION.replace("ORIGIN", json.dumps(origin)))
    return tmp_path


def sample(folder: Path, output: str, *words: str) -> int:
    verb, *options = words
    config = ("--config", str(folder / "engine.yaml"), "--output", str(folder / output))
    return run(["sample", verb, str(folder / "starts.xyz"), *config, *options])


def calls(folder: Path) -> int:
    log = folder / "calls"
    count = len(log.read_text()) if log.exists() else 0
    log.unlink(missing_ok=True)
    return count


@pytest.mark.parametrize("name", list(SEARCHES))
def test_a_killed_search_goes_on_to_the_same_bits(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = SEARCHES[name]
    assert sample(folder, "whole.h5", *words) == 0
    everything = calls(folder)
    (folder / "cut").mkdir()
    monkeypatch.setenv("DIE_AT", "4")
    capsys.readouterr()
    assert sample(folder, "cut/whole.h5", *words) == 130
    assert "the same command with --resume goes on" in capsys.readouterr().err.lower()
    assert calls(folder) == 4
    monkeypatch.delenv("DIE_AT")
    assert sample(folder, "cut/whole.h5", *words) == 2
    assert "go on with --resume" in capsys.readouterr().err.lower()
    assert sample(folder, "cut/whole.h5", *words, "--resume") == 0
    assert calls(folder) == everything - 4
    assert not list((folder / "cut").glob("*.search"))
    whole, cut = (read_dataset(folder / name / "whole.h5.labels.h5") for name in ("", "cut"))
    for array in ("positions", "energies", "forces", "interstate_coupling", "group"):
        assert np.array_equal(whole[array], cut[array])


def test_all_that_was_computed_is_labelled_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample(folder, "meci.h5", *MECI) == 0
    computed = calls(folder)
    dataset = read_dataset(folder / "meci.h5.labels.h5")
    assert f"{len(dataset)} labelled geometries, all: " in capsys.readouterr().err
    assert len(dataset) == computed - 2  # both ends were computed once more from cold
    assert len(np.unique(dataset["positions"], axis=0)) == len(dataset)
    assert set(dataset["group"]) == {"meci-00000", "meci-00001"}
    ends = read_frames(folder / "meci.h5").positions
    for end in ends:
        assert (dataset["positions"] == end).all((1, 2)).sum() == 1
    labels = str(folder / "again.h5")
    frames = str(folder / "meci.h5.labels.h5")
    assert run(["label", frames, "--config", str(folder / "engine.yaml"), "--output", labels]) == 0
    np.testing.assert_allclose(dataset["forces"], read_dataset(Path(labels))["forces"], atol=1e-12)


def test_a_search_that_found_nothing_can_be_given_more_steps(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [build("C2H4"), build("C2H4")]
    for seed, atoms in enumerate(both):
        atoms.rattle(0.05, seed=seed + 1)
        atoms.write(folder / "starts.xyz", append=bool(seed))
    one = ("meci", "--force-tolerance", "1e-6")
    assert sample(folder, "meci.h5", *one, "--max-steps", "2") == 4
    assert "labels are kept" in capsys.readouterr().err
    assert set(read_dataset(folder / "meci.h5.labels.h5")["group"]) == {"meci-00000", "meci-00001"}
    before = calls(folder)
    assert sample(folder, "meci.h5", *one, "--resume") == 0
    after = calls(folder)
    (folder / "anew").mkdir()
    assert sample(folder, "anew/meci.h5", *one) == 0
    assert before + after == calls(folder)
    assert before > 2


def test_labels_of_another_solution_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a computation from cold differs, only that one stays."""
    monkeypatch.setenv("DROP", "1e-3")
    one = ("meci", "--frame", "1", "--force-tolerance", "1e-3")
    assert sample(folder, "meci.h5", *one) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "another solution of the engine" in told
    assert "1 labelled geometries, without searches on another solution" in told
    dataset = read_dataset(folder / "meci.h5.labels.h5")
    assert len(dataset) == 1
    assert np.array_equal(dataset["positions"], read_frames(folder / "meci.h5").positions)


def test_a_search_without_a_label_leaves_nothing(folder: Path) -> None:
    text = (folder / "engine.yaml").read_text()
    (folder / "engine.yaml").write_text(text.replace("key: energies", "key: energy"))
    output = "new/folder/path.h5"  # which is made where it is needed
    assert sample(folder, output, *SEARCHES["descend"], "--group", "mine") in {2, 3}
    assert not list(folder.glob("new/folder/*"))
    (folder / "engine.yaml").write_text(text)
    assert sample(folder, output, *SEARCHES["descend"], "--group", "mine") == 0
    assert set(read_dataset(folder / f"{output}.labels.h5")["group"]) == {"mine"}


def test_a_folder_that_cannot_be_made_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").touch()
    assert sample(folder, "file/path.h5", *SEARCHES["descend"]) == 75
    assert "path.h5.search" in capsys.readouterr().err


def test_labels_of_another_search_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIE_AT", "3")
    assert sample(folder, "meci.h5", *MECI) == 130
    monkeypatch.delenv("DIE_AT")
    starts = (folder / "starts.xyz").read_text()
    (folder / "starts.xyz").write_text(starts.replace("0.0000", "0.0001"))
    assert sample(folder, "meci.h5", *MECI, "--resume") == 2
    assert "from other geometries" in " ".join(capsys.readouterr().err.split())
    (folder / "starts.xyz").write_text(starts)
    text = (folder / "engine.yaml").read_text()
    (folder / "engine.yaml").write_text(text + "charge: 1\n")
    assert sample(folder, "meci.h5", *MECI, "--resume") == 2
    (folder / "engine.yaml").write_text(text.replace("[[", "[[1e-3, 0, 0], [", 1))
    assert sample(folder, "meci.h5", *MECI, "--resume") == 2
    (folder / "engine.yaml").write_text(text)
    assert sample(folder, "meci.h5", *MECI, "--resume") == 0
    capsys.readouterr()
    assert sample(folder, "meci.h5", *MECI) == 2  # nor is what is whole written over
    assert "the file exists" in capsys.readouterr().err
    assert sample(folder, "meci.h5", *MECI, "--force") == 0


def test_a_potential_keeps_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts, output = str(folder / "starts.xyz"), str(folder / "out.h5")
    options = ["--model", "stilbene-ssr", "--output", output, "--resume"]
    assert run(["sample", "relax", starts, *options]) == 2
    assert "it is for an engine" in " ".join(capsys.readouterr().err.split()).lower()
    assert not list(folder.glob("*.search"))

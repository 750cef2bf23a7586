"""The command as it is typed: train one network for an epoch, again, and make the page of it."""

import json
import subprocess
import sys

import pytest
from comparison.cases import CASES, ROOT
from comparison.table import BEGIN, END

SCRIPT = ROOT / "benchmarks" / "accuracy.py"


def command(*words: object) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, str(SCRIPT), *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which one short training is finished, and what was printed about it."""
    folder = tmp_path_factory.mktemp("accuracy")
    words = ("--cases", "ch2nh2", "--networks", "ours-off", "--seeds", 0)
    frames = CASES["ch2nh2"].frames
    line = ("train", "--output", folder, *words, "--presentations", frames, "--nice", 0)
    return folder, command(*line), line


def test_a_training_is_made_once(folder):
    root, first, line = folder
    log = root / "ch2nh2" / "ours-off" / "seed-0.log"
    assert first.returncode == 0, first.stderr + log.read_text()
    assert "ch2nh2 ours-off seed 0: done in" in first.stdout
    result = root / "ch2nh2" / "ours-off" / "seed-0.json"
    before = result.stat().st_mtime_ns
    assert json.loads(result.read_text())["presentations"] == CASES["ch2nh2"].frames
    again = command(*line)
    assert again.returncode == 0
    assert "done in" not in again.stdout
    assert result.stat().st_mtime_ns == before


def test_tables_and_figures_are_made_of_it(folder, tmp_path):
    root = folder[0]
    kept, page = tmp_path / "accuracy.json", tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    made = command("table", "--input", root, "--json", kept, "--page", page)
    assert made.returncode == 0, made.stderr
    found = json.loads(kept.read_text())
    network = found["cases"]["ch2nh2"]["networks"]["ours-off"]
    assert [entry["trainings"] for entry in network["trained_on"]] == [1]
    assert network["flops"] > 1_000_000
    first = page.read_text()
    assert "| ours, fusion off |" in first
    again = command("table", "--json", kept, "--page", page, "--figure", tmp_path / "errors.png")
    assert again.returncode == 0, again.stderr
    assert page.read_text() == first
    assert (tmp_path / "errors-ch2nh2.png").read_bytes().startswith(b"\x89PNG")


def test_an_empty_folder_is_told(tmp_path):
    made = command("table", "--input", tmp_path)
    assert made.returncode == 3
    assert "no training is finished here" in made.stderr

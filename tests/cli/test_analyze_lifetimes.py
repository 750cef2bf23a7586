"""``namd analyze lifetimes`` from the outside: one run, several, with and without classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.cli.main import run

BOHR = 0.529177
CLASSES = """
coordinates:
  - {kind: distance, name: bond, atoms: [0, 1]}
classes:
  - {name: bound, bounds: [{coordinate: bond, below_angstrom: 2}]}
  - {name: dissociated, bounds: [{coordinate: bond, at_least_angstrom: 3}]}
"""


@pytest.fixture
def few(write_ensemble: Callable[..., Path], tmp_path: Path) -> Path:
    """Run of six, of which four decay, at 200, 201, … fs."""
    return make_run(write_ensemble, tmp_path / "few", number=6, times=[200.0 + k for k in range(4)])


@pytest.fixture
def many(write_ensemble: Callable[..., Path], tmp_path: Path) -> Path:
    """Run of forty that decay at 100, 102, … fs; every second one is bound."""
    times = [100.0 + 2 * k for k in range(40)]
    return make_run(write_ensemble, tmp_path / "many", number=40, times=times)


def make_run(
    write_ensemble: Callable[..., Path], folder: Path, *, number: int, times: list[float]
) -> Path:
    folder.mkdir()
    active = np.ones((41, number), dtype=int)
    active[20:, : len(times)] = 0
    positions = np.zeros((41, number, 2, 3))
    positions[:, :, 1, 0] = np.where(np.arange(number) % 2, 5.0, 1.0) / BOHR
    write_ensemble(
        folder / "ensemble.h5",
        active_state=active,
        status=np.where(np.arange(41)[:, None] == 40, 1, 0).repeat(number, axis=1),
        positions=positions,
        hops=[(k, time, 1, 0, True) for k, time in enumerate(times)],
        hop_positions=positions[0, : len(times)],
        final_step=[800] * number,
        reason=[0] * number,
    )
    return folder


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    path = tmp_path / "classes.yaml"
    path.write_text(CLASSES)
    return path


def test_all_and_each_product(many: Path, classes: Path, capsys: Any) -> None:
    words = ["analyze", "lifetimes", str(many), "--classes", str(classes), "--json"]
    assert run(words) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["state"] == "S1"
    assert [(each["name"], each["decayed"]) for each in alone["lifetimes"]] == [
        ("all", 40),
        ("bound", 20),
        ("dissociated", 20),
    ]
    everyone, bound, dissociated = alone["lifetimes"]
    assert everyone["median"]["value_fs"] == pytest.approx(138)
    assert everyone["median"]["lower_fs"] < 138 < everyone["median"]["upper_fs"]
    assert bound["median"]["value_fs"] + 2 == pytest.approx(dissociated["median"]["value_fs"])
    fit = everyone["delayed"]
    assert 90 < fit["delay"]["value_fs"] < 138
    assert fit["lifetime"]["value_fs"] == pytest.approx(139, abs=8)  # the mean of all times
    assert not fit["extrapolated"]
    assert everyone["exponential"]["misfit"] > fit["misfit"]


def test_several_runs_count_as_one(
    many: Path, few: Path, classes: Path, tmp_path: Path, capsys: Any
) -> None:
    figure = tmp_path / "lifetimes.png"
    words = ["analyze", "lifetimes", str(many), str(few), "--classes", str(classes)]
    assert run([*words, "--figure", str(figure)]) == 0
    said = capsys.readouterr().out
    assert "46 trajectories" in said
    assert "44/46" in said
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_few_decays_have_a_median_and_no_fit(few: Path, capsys: Any) -> None:
    assert run(["analyze", "lifetimes", str(few)]) == 0
    said = capsys.readouterr().out
    assert "4/6" in said
    assert "202 (" in said  # the third of six: the curve is at one half
    assert "bound" not in said
    assert "Without a delay" not in said


def test_one_run_twice_is_refused(many: Path, capsys: Any) -> None:
    assert run(["analyze", "lifetimes", str(many), str(many)]) == 3
    assert "count twice" in capsys.readouterr().err


def test_a_figure_of_no_known_kind_is_refused_first(many: Path, capsys: Any) -> None:
    assert run(["analyze", "lifetimes", str(many), "--figure", "x.docx"]) == 2
    assert ".png" in capsys.readouterr().err

"""``benchmarks/casscf_rounds.py``: which labels each stage learns, and what it tells."""

import itertools
from pathlib import Path

import casscf_rounds
import numpy as np
import pytest
from casscf_rounds import CONTROLLED, FOLDER, LATE, Stage, stages

from namd.data.dataset import Dataset
from namd.data.reading import read_dataset

LABELS = read_dataset(FOLDER / "data" / "labels.h5")


def test_labels_are_revealed_round_by_round() -> None:
    made = stages(LABELS, None)
    names = list(made)
    assert names[0] == "start"
    assert names[1:] == sorted(name for name in set(LABELS["source"]) if name.startswith("round"))
    assert len(made[names[-1]]) == len(LABELS)
    for before, after in itertools.pairwise(names):
        old, new = made[before]["positions"], made[after]["positions"]
        known = {row.tobytes() for row in old}
        added = [row.tobytes() not in known for row in new]
        assert sum(added) == len(new) - len(old)
        assert sources(made[after], np.flatnonzero(added)) == {after}


def test_the_control_takes_the_place_of_as_many_frames_of_its_round() -> None:
    control = LABELS.select(np.flatnonzero(LABELS["source"] == CONTROLLED)[:7])
    made = stages(LABELS, control)
    names = list(made)
    before = len(made[names[names.index(CONTROLLED) - 1]])
    assert len(made["control"]) == len(made["chosen"]) == before + 7
    assert CONTROLLED not in made["control"]["source"][:before]
    assert np.array_equal(made["control"]["positions"][before:], control["positions"])
    assert sources(made["chosen"], np.arange(before, before + 7)) == {CONTROLLED}


def sources(dataset: Dataset, rows: np.ndarray) -> set[str]:
    """Rounds of frames, those of late searches among them."""
    pairs = zip(dataset["group"][rows], dataset["source"][rows], strict=True)
    return {LATE.get(group, source) for group, source in pairs}


def test_a_stage_tells_what_its_trajectories_became(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(casscf_rounds, "DURATION_FS", 2.0)
    (tmp_path / "model").symlink_to(FOLDER / "member-1", target_is_directory=True)
    stage = Stage(folder=tmp_path, name="start", seed=0, labels=LABELS)
    shares = stage.shares(3)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["undecided"] == 1.0  # nothing leaves S1 within 2 fs
    assert stage.shares(3) == shares  # of the run that is there


def test_the_figure_has_a_line_for_each_test_and_a_mark_for_each_control() -> None:
    errors = dict.fromkeys(casscf_rounds.QUANTITIES, 0.5)
    tests = {"one": errors, "other": errors}
    results = [
        {"name": name, "seed": 0, "labels": number, "tests": tests}
        for name, number in [("start", 300), ("round0", 360), ("chosen", 400), ("control", 400)]
    ]
    panels = casscf_rounds.figure(results).axes
    assert len(panels) == len(casscf_rounds.QUANTITIES)
    lengths = [len(line.get_xdata()) for line in panels[0].lines]
    assert lengths == [2, 1, 1] * len(tests)

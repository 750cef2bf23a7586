"""``benchmarks/casscf_rounds.py``: which labels each stage learns."""

import itertools

import numpy as np
from casscf_rounds import CONTROLLED, FOLDER, LATE, stages

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

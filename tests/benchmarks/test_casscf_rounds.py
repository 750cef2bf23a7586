"""``benchmarks/casscf_rounds.py``: which labels each stage learns."""

import itertools

import numpy as np
from casscf_rounds import FOLDER, LATE, stages

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
        sources = {LATE.get(group, "") or source for group, source in rows(made[after], added)}
        assert sources == {after}


def test_the_control_takes_the_place_of_the_last_round() -> None:
    last = max(name for name in set(LABELS["source"]) if name.startswith("round"))
    control = LABELS.select(np.flatnonzero(LABELS["source"] == last)[:7])
    made = stages(LABELS, control)
    before = list(made)[-3]
    assert last not in set(made["control"]["source"][:-7])
    assert len(made["control"]) == len(made[before]) + 7


def rows(dataset: Dataset, chosen: list[bool]) -> list[tuple[str, str]]:
    groups, sources = dataset["group"][chosen], dataset["source"][chosen]
    return list(zip(groups.tolist(), sources.tolist(), strict=True))

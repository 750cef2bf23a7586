"""The pool of `active_pool.py`: what is revealed, and in which order stages come."""

from pathlib import Path

import numpy as np
from active.pool import Pool
from active.stages import stages

from namd.data.reading import read_dataset

POOL = Pool(validation=5, test=7, frames=40)
NO_MODEL = Path("none")


def test_random_frames_are_revealed_without_repeats_and_nested() -> None:
    first = POOL.first(6, seed=1)
    more, reasons = POOL.more(first, 15, strategy="random", seed=1, model=NO_MODEL)
    assert reasons == {}
    assert more[:6].tolist() == first.tolist()
    assert len(set(more.tolist())) == 15
    assert set(POOL.first(6, seed=2).tolist()) != set(first.tolist())
    every, _ = POOL.more(first, 40, strategy="random", seed=1, model=NO_MODEL)
    assert sorted(every.tolist()) == list(range(40))


def test_no_frame_of_validation_or_test_comes_from_a_group_of_the_pool(tmp_path: Path) -> None:
    groups = {name: set(part["group"].tolist()) for name, part in POOL.parts.items()}
    assert not groups["pool"] & groups["validation"]
    assert not (groups["pool"] | groups["validation"]) & groups["test"]
    rows = POOL.first(9, seed=0)
    POOL.write(rows, tmp_path / "labels.h5")
    written = read_dataset(tmp_path / "labels.h5")
    assert [int((written["group"] == side).sum()) for side in ("pool", "validation", "test")] == [
        9,
        5,
        7,
    ]
    np.testing.assert_array_equal(
        written["energies"][:9], POOL.parts["pool"]["energies"][np.sort(rows)]
    )


def test_each_stage_goes_on_from_the_one_before(tmp_path: Path) -> None:
    made = stages(tmp_path, seeds=2, counts=[4, 8, 16], strategies=["random", "active"])
    assert [stage.folder.relative_to(tmp_path).as_posix() for stage in made[:5]] == [
        "seed-0/0004",
        "seed-0/random-0008",
        "seed-0/random-0016",
        "seed-0/active-0008",
        "seed-0/active-0016",
    ]
    assert made[4].before is made[3]
    assert made[3].before is made[1].before is made[0]
    assert made[5].seed == 1
    assert all(stage.result is None for stage in made)

"""Splits keep groups whole, are reproducible and do not reshuffle when data are added."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.data.splits import draw, split_groups
from namd.errors import ConfigError

groups = st.lists(st.integers(0, 30).map(lambda k: f"traj-{k:03d}"), min_size=1, max_size=120)
fractions = st.floats(0, 0.45)


def sides(split, frames):
    """Side of every frame, checking that each frame is on exactly one."""
    side = np.full(frames, "", dtype="U10")
    for name in ("training", "validation", "test"):
        rows = getattr(split, name)
        assert (side[rows] == "").all()
        assert (np.diff(rows) > 0).all()
        side[rows] = name
    assert (side != "").all()
    return side


@given(groups, fractions, fractions, st.integers(0, 2**32))
def test_no_group_is_cut(names, validation, test, seed):
    split = split_groups(
        np.array(names), validation_fraction=validation, test_fraction=test, seed=seed
    )
    side = sides(split, len(names))
    for name in set(names):
        assert len(set(side[np.array(names) == name])) == 1


@given(groups, groups, st.integers(0, 2**32), st.randoms())
def test_adding_and_reordering_groups_moves_no_other(names, added, seed, random):
    options = {"validation_fraction": 0.2, "test_fraction": 0.3, "seed": seed}
    before = sides(split_groups(np.array(names), **options), len(names))
    mixed = [*names, *added]
    random.shuffle(mixed)
    after = dict(
        zip(mixed, sides(split_groups(np.array(mixed), **options), len(mixed)), strict=True)
    )
    assert all(after[name] == side for name, side in zip(names, before, strict=True))


def test_shares_are_those_asked_for():
    names = np.array([f"wigner-{k}" for k in range(4000)])
    split = split_groups(names, validation_fraction=0.05, test_fraction=0.1, seed=3)
    assert split.test.size == pytest.approx(400, abs=4 * np.sqrt(400))
    assert split.validation.size == pytest.approx(200, abs=4 * np.sqrt(200))


def test_seed_changes_the_draw_and_nothing_else_does():
    assert draw("traj-1", seed=0) == draw("traj-1", seed=0) != draw("traj-1", seed=1)
    values = [draw(f"g{k}", seed=0) for k in range(2000)]
    assert min(values) >= 0
    assert max(values) < 1
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)


def test_patterns_win_over_fractions():
    names = np.array(["cis-001", "cis-002", "trans-001", "twist-1", "cis-001"])
    split = split_groups(names, validation=["trans-*"], test=["cis-001"], seed=0)
    assert split.test.tolist() == [0, 4]
    assert split.validation.tolist() == [2]
    assert split.training.tolist() == [1, 3]


def test_pattern_without_a_match_names_near_groups():
    with pytest.raises(ConfigError, match="traj-cis-03") as caught:
        split_groups(np.array(["traj-cis-003", "twist-1"]), test=["traj-cis-03"])
    assert "traj-cis-003" in caught.value.hint


def test_group_claimed_twice_is_refused():
    with pytest.raises(ConfigError, match="claimed"):
        split_groups(np.array(["a", "b"]), test=["a"], validation=["*"])


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (-0.1, 0.2)])
def test_impossible_fractions_are_refused(validation, test):
    with pytest.raises(ConfigError, match="fractions"):
        split_groups(np.array(["a"]), validation_fraction=validation, test_fraction=test)

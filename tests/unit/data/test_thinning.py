"""Thinning keeps its budget, its promise of spacing, and what is not a trajectory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.data.repeats import repeated_frames
from namd.data.thinning import thin
from namd.data.walks import trajectory_walks
from namd.errors import DataError


def kept_frames(whole, thinned):
    """Frame numbers in ``whole`` of the frames of ``thinned``."""
    number = {frame.tobytes(): k for k, frame in enumerate(whole["positions"])}
    return [number[frame.tobytes()] for frame in thinned["positions"]]


@settings(max_examples=25)
@given(budget=st.integers(7, 130), seed=st.integers(0, 50))
def test_budget_is_kept_and_the_result_reproducible(make_dataset, budget, seed):
    whole = make_dataset(walks=3, steps=40, seed=seed)
    one, two = thin(whole, max_frames=budget), thin(whole, max_frames=budget)
    assert len(one) <= budget
    kept = kept_frames(whole, one)
    assert kept == sorted(kept) == kept_frames(whole, two)
    assert {"wigner-0", "wigner-1", "wigner-2", "wigner-3"} <= set(one["group"])
    assert {0, 40, 80} <= set(kept), "the first frame of every trajectory is kept"
    assert one.provenance == two.provenance


def test_budget_is_used(make_dataset):
    whole = make_dataset(walks=3, steps=200)
    assert 95 <= len(thin(whole, max_frames=100)) <= 100


def test_a_larger_spacing_keeps_fewer_frames(make_dataset):
    whole = make_dataset(walks=2, steps=200)
    sizes = [len(thin(whole, spacing=s)) for s in (0.1, 0.5, 1.0, 2.0, 1e6)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 4 + 2


def test_frames_are_denser_where_the_gap_is_small(make_dataset):
    steps = 400
    whole = make_dataset(walks=1, steps=steps, single=0)
    energies = whole["energies"].copy()
    gap = np.linspace(0.2, 0.0005, steps)
    energies[:, 1] = energies[:, 0] + gap
    still = np.broadcast_to(whole["positions"][0], whole["positions"].shape)
    dataset = make_dataset(
        walks=1, steps=steps, single=0, arrays={"energies": energies, "positions": still}
    )
    small = thin(dataset, spacing=1.0).gaps[:, 0]
    assert (small < 0.02).sum() > 3 * ((small > 0.1) & (small < 0.12)).sum()


def test_repeats_within_a_group_are_dropped_those_of_others_are_not(make_dataset):
    whole = make_dataset(walks=2, steps=10, single=0)
    again = np.concatenate([np.arange(20), np.arange(5), np.arange(3)])
    doubled = whole.select(again)
    group = doubled["group"].copy()
    group[25:] = "elsewhere"
    doubled = make_dataset(arrays={n: doubled[n] for n in doubled} | {"group": group})
    later, earlier = repeated_frames(doubled)
    assert later.tolist() == list(range(20, 28))
    np.testing.assert_array_equal(doubled["positions"][later], doubled["positions"][earlier])
    thinned = thin(doubled, max_frames=1000)
    assert len(thinned) == 23
    assert thinned.provenance["steps"][-1]["repeats_dropped"] == 5


def test_the_rule_is_written_down(make_dataset):
    step = thin(make_dataset(), max_frames=20).provenance["steps"][-1]
    assert step["frames_before"] == 40
    assert step["frames_after"] <= 20
    again = thin(make_dataset(), spacing=step["spacing"])
    assert len(again) == step["frames_after"]


@pytest.mark.parametrize("options", [{}, {"max_frames": 9, "spacing": 1.0}, {"spacing": 0.0}])
def test_contradictory_requests_are_refused(make_dataset, options):
    with pytest.raises(DataError):
        thin(make_dataset(), **options)


def test_a_budget_below_what_is_always_kept_is_refused(make_dataset):
    with pytest.raises(DataError, match="always kept") as caught:
        thin(make_dataset(), max_frames=6)
    assert "7 or more" in caught.value.hint


def test_walks_part_groups_sources_and_branches(make_dataset):
    time = np.array([0.0, 1, 2, 1, 2, 0, 1, np.nan])
    base = make_dataset(walks=0, single=8)
    dataset = make_dataset(
        walks=0,
        single=8,
        arrays={
            "time": time,
            "group": np.array(["a"] * 5 + ["b"] * 2 + ["c"]),
            "source": np.array(["traj"] * 3 + ["branch"] * 2 + ["traj"] * 3),
        },
    )
    walks = [walk.tolist() for walk in trajectory_walks(dataset)]
    assert walks == [[0, 1, 2], [3, 4], [5, 6]]
    assert trajectory_walks(base) == []
    assert trajectory_walks(make_dataset(arrays={"time": None})) == []

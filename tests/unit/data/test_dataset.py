"""The dataset is well-formed by construction, and its couplings do not depend on their form."""

import numpy as np
import pytest

from namd.data.combining import concatenate
from namd.data.dataset import Dataset
from namd.errors import DataError
from namd.states import StateSpace


def test_couplings_are_the_same_from_h_and_from_d(make_dataset):
    from_d = make_dataset()
    gap = from_d["energies"][:, 1] - from_d["energies"][:, 0]
    h = from_d["nonadiabatic_coupling"] * gap[:, None, None, None]
    from_h = make_dataset(arrays={"nonadiabatic_coupling": None, "interstate_coupling": h})
    np.testing.assert_allclose(from_d.interstate_coupling, from_h.interstate_coupling, rtol=1e-15)
    np.testing.assert_array_equal(from_d.gaps[:, 0], gap)


def test_gaps_and_couplings_follow_the_order_of_pairs(make_dataset):
    two = make_dataset(walks=0, single=2)
    frames = 2
    energies = np.array([[0.0, 0.1, 0.4], [0.0, 0.3, 0.35]])
    d = np.ones((frames, 3, 3, 3))
    three = make_dataset(
        walks=0,
        single=2,
        states=StateSpace.singlets(3),
        arrays={
            "energies": energies,
            "forces": np.repeat(two["forces"], 2, axis=1)[:, :3],
            "nonadiabatic_coupling": d,
        },
    )
    np.testing.assert_allclose(three.gaps, [[0.1, 0.4, 0.3], [0.3, 0.35, 0.05]])
    np.testing.assert_allclose(three.interstate_coupling[:, :, 0, 0], three.gaps)


def test_lowest_states_keep_their_pairs(make_dataset):
    frames = 2
    plain = make_dataset(walks=0, single=frames)
    four = make_dataset(
        walks=0,
        single=frames,
        states=StateSpace.singlets(4),
        arrays={
            "energies": np.arange(4.0)[None].repeat(frames, 0),
            "forces": np.repeat(plain["forces"], 2, axis=1),
            "nonadiabatic_coupling": np.arange(6.0)[None, :, None, None]
            * np.ones((frames, 1, 3, 3)),
            "active_state": np.array([1, 3]),
        },
    )
    three = four.lowest_states(3)
    assert three.states.labels == ("S0", "S1", "S2")
    assert three["energies"].tolist() == [[0, 1, 2]] * frames
    # Pairs of four states are 01, 02, 03, 12, 13, 23.
    assert three["nonadiabatic_coupling"][0, :, 0, 0].tolist() == [0, 1, 3]
    assert three["active_state"].tolist() == [1, -1]
    assert three["positions"] is four["positions"]
    one = four.lowest_states(1)
    assert one["nonadiabatic_coupling"].shape == (frames, 0, 3, 3)
    assert one["forces"].shape[1] == 1
    for number in (0, 5):
        with pytest.raises(DataError, match="the data have 4"):
            four.lowest_states(number)


def test_missing_coupling_is_said_or_none(make_dataset):
    dataset = make_dataset(arrays={"nonadiabatic_coupling": None})
    assert dataset.interstate_coupling_or_none is None
    with pytest.raises(DataError, match="no couplings"):
        _ = dataset.interstate_coupling


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"forces": None}, "'forces' is missing"),
        ({"forces": np.zeros((40, 3, 2, 3))}, r"expected \[frame 40, state 2, atom 3, xyz 3\]"),
        ({"energies": np.zeros((39, 2))}, "expected"),
        ({"nonadiabatic_coupling": np.zeros((40, 3, 3))}, r"pair 1"),
        ({"colour": np.zeros(40)}, "no property"),
        ({"energies": np.full((40, 2), "x")}, "expected numbers"),
    ],
)
def test_malformed_arrays_are_refused(make_dataset, arrays, message):
    with pytest.raises(DataError, match=message):
        make_dataset(arrays=arrays)


def test_select_takes_masks_and_numbers(make_dataset):
    dataset = make_dataset()
    mask = dataset["source"] == "wigner"
    by_mask, by_number = dataset.select(mask), dataset.select(np.flatnonzero(mask)[::-1])
    assert len(by_mask) == len(by_number) == 4
    for name in dataset:
        np.testing.assert_array_equal(by_mask[name], by_number[name][::-1])
    assert len(dataset.select(np.array([], dtype=int))) == 0


def test_asking_for_what_is_not_there_lists_what_is(make_dataset):
    with pytest.raises(DataError, match="velocities") as caught:
        make_dataset()["velocities"]
    assert "positions" in caught.value.hint


def test_arrays_cannot_be_replaced(make_dataset):
    with pytest.raises(TypeError):
        make_dataset().arrays["energies"] = np.zeros(3)


def test_concatenate_joins_and_refuses_what_does_not_fit(make_dataset):
    one = make_dataset()
    renamed = np.char.add("b-", one["group"])
    two = make_dataset(arrays={"group": renamed, "nonadiabatic_coupling": None})
    joined = concatenate([one, two])
    assert isinstance(joined, Dataset)
    assert len(joined) == 2 * len(one)
    assert "nonadiabatic_coupling" not in joined
    with pytest.raises(DataError, match="group 'traj-0'"):
        concatenate([one, one])
    with pytest.raises(DataError, match="level of theory"):
        concatenate([one, make_dataset(arrays={"group": renamed}, level_of_theory="other")])


def test_concatenate_brings_couplings_into_the_convention_of_the_first(make_dataset):
    one = make_dataset()
    arrays = {"group": np.char.add("b-", one["group"]), "nonadiabatic_coupling": None}
    two = make_dataset(arrays=arrays | {"interstate_coupling": one.interstate_coupling})
    for first, second in ((one, two), (two, one)):
        joined = concatenate([first, second])
        couplings = joined.interstate_coupling
        np.testing.assert_allclose(couplings[len(one) :], couplings[: len(one)], rtol=1e-12)
        assert ("interstate_coupling" in joined) == ("interstate_coupling" in first)

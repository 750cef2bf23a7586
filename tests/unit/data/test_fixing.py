"""What is mended is mended exactly, told, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.data.dataset import Dataset
from namd.data.doctor.examine import examine
from namd.data.doctor.fixing import fix
from namd.data.doctor.ordering import sort_states
from namd.data.doctor.signs import align_signs
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE


def with_arrays(dataset, **arrays):
    fields = ("molecule", "states", "level_of_theory", "provenance")
    kept = {name: getattr(dataset, name) for name in fields}
    return Dataset(**kept, arrays={**dataset.arrays, **arrays})


def turned(dataset, signs):
    """The same frames with other signs of the states."""
    pairs = np.array([[s[i] * s[j] for i, j in dataset.states.pairs] for s in signs])
    arrays = {"nonadiabatic_coupling": dataset["nonadiabatic_coupling"] * pairs[..., None, None]}
    if "transition_dipoles" in dataset:
        arrays["transition_dipoles"] = dataset["transition_dipoles"] * pairs[..., None]
    if "amplitudes" in dataset:
        arrays["amplitudes"] = dataset["amplitudes"] * signs
    return with_arrays(dataset, **arrays)


def relabelled(dataset, order):
    """The same frames with the states of each in another order."""
    pairs = dataset.states.pairs
    arrays = {name: dataset[name].copy() for name in dataset}
    for frame, new in enumerate(order):
        for name in ("energies", "forces", "amplitudes"):
            arrays[name][frame] = dataset[name][frame][new]
        arrays["active_state"][frame] = list(new).index(dataset["active_state"][frame])
        for k, (i, j) in enumerate(pairs):
            a, b = new[i], new[j]
            old = dataset.states.pair_index(a, b)
            sign = 1 if a < b else -1
            arrays["nonadiabatic_coupling"][frame, k] = (
                sign * dataset["nonadiabatic_coupling"][frame, old]
            )
            arrays["transition_dipoles"][frame, k] = dataset["transition_dipoles"][frame, old]
    return with_arrays(dataset, **arrays)


@pytest.fixture(scope="module")
def rich(make_labelled):
    """Three states with dipoles, amplitudes and active states."""
    rng = np.random.default_rng(1)
    return make_labelled(
        12,
        states=3,
        basis=True,
        arrays={
            "active_state": rng.integers(0, 3, 12),
            "amplitudes": rng.standard_normal((12, 3)) + 1j * rng.standard_normal((12, 3)),
        },
    )


def assert_same(one, two):
    assert set(one) == set(two)
    for name in one:
        if one[name].dtype.kind in "fc":
            np.testing.assert_allclose(one[name], two[name], rtol=1e-12, atol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_clean_frames_come_back_as_they_are(make_dataset):
    dataset = make_dataset()
    mended, done = fix(dataset)
    assert mended is dataset
    assert done == []


@settings(max_examples=25)
@given(data=st.data())
def test_sorting_undoes_any_order_of_the_states(rich, data):
    order = [data.draw(st.permutations(range(3))) for _ in range(len(rich))]
    mixed = relabelled(rich, order)
    mended, changed = sort_states(mixed)
    assert_same(mended, rich)
    assert changed.tolist() == [list(new) != [0, 1, 2] for new in order]


def test_sorting_keeps_unknown_active_states_and_unknown_energies(rich):
    active = rich["active_state"].copy()
    active[2] = -1
    energies = rich["energies"].copy()
    energies[2], energies[3] = energies[2, ::-1], [0.0, np.nan, -1.0]
    mended, changed = sort_states(with_arrays(rich, active_state=active, energies=energies))
    assert mended["active_state"][2] == -1
    assert np.flatnonzero(changed).tolist() == [2]
    np.testing.assert_array_equal(mended["energies"][3], energies[3])


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_signs_align_whatever_they_were(three_states, seed):
    """Jointly: one sign per state, and the first frame keeps its own."""
    clean = three_states
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], (len(clean), 3))
    signs[0] = 1.0
    mended, changed = align_signs(turned(clean, signs))
    pairs = [[s[i] * s[j] for i, j in clean.states.pairs] for s in signs]
    assert changed.tolist() == [bool((np.array(p) < 0).any()) for p in pairs]
    assert_same(with_arrays(mended, amplitudes=clean["amplitudes"]), clean)
    phase = mended["amplitudes"] / clean["amplitudes"]
    np.testing.assert_allclose(phase, phase[:, :1] * np.ones(3), atol=1e-12)


@pytest.mark.parametrize("power", [-2, -1, 1, 2])
def test_lengths_and_energies_are_brought_back(make_dataset, power):
    clean = make_dataset()
    positions, energies = clean["positions"].copy(), clean["energies"].copy()
    positions[3:6] *= ANGSTROM_PER_BOHR**power
    energies[20] *= EV_PER_HARTREE
    mended, done = fix(make_dataset(arrays={"positions": positions, "energies": energies}))
    assert_same(mended, clean)
    assert [step["frames"] for step in done] == [[3, 4, 5], [20]]


def test_energies_of_which_most_are_in_ev(make_dataset):
    clean = make_dataset()
    energies = clean["energies"].copy()
    energies[3:] *= EV_PER_HARTREE
    mended, done = fix(make_dataset(arrays={"energies": energies}))
    assert_same(mended, clean)
    assert done[0]["frames"] == list(range(3, 40))


@pytest.mark.parametrize(
    ("name", "factor"),
    [("forces", -1.0), ("forces", EV_PER_HARTREE / ANGSTROM_PER_BOHR), ("velocities", 0.529177)],
)
def test_slips_of_one_trajectory_are_brought_back(moving, name, factor):
    values = moving[name].copy()
    values[20:40] *= factor
    mended, done = fix(with_arrays(moving, **{name: values}))
    np.testing.assert_allclose(mended[name], moving[name], rtol=1e-5)
    assert [step["frames"] for step in done] == [list(range(20, 40))]
    assert examine(mended) == ()


def test_forces_of_an_ambiguous_factor_are_left(moving):
    """Energies in eV with forces in eV/Å look like Hartree with Hartree/Å, but for their size."""
    factors = {"energies": EV_PER_HARTREE, "forces": EV_PER_HARTREE / ANGSTROM_PER_BOHR}
    both = {name: moving[name] * factor for name, factor in factors.items()}
    wrong = with_arrays(moving, **both)
    mended, done = fix(wrong)
    assert done == []
    np.testing.assert_array_equal(mended["forces"], wrong["forces"])
    assert {"wide-gap", "energy-jump"} <= {f.kind for f in examine(wrong)}


def test_repeats_are_left_out_and_all_is_written_down(make_dataset):
    clean = make_dataset()
    doubled = clean.select(np.array([*range(40), 5, 6]))
    mended, done = fix(doubled)
    assert_same(mended, clean)
    assert done == [
        {"kind": "repeat", "what": "repeats of an earlier frame left out", "frames": [40, 41]}
    ]
    assert mended.provenance["note"] == "made by a test"
    assert mended.provenance["steps"][-1]["done"] == done


def test_what_cannot_be_mended_is_left(make_dataset):
    energies, positions = make_dataset()["energies"].copy(), make_dataset()["positions"].copy()
    energies[5, 1] = np.nan
    positions[7] = 0.0
    bad = make_dataset(arrays={"energies": energies, "positions": positions})
    mended, done = fix(bad)
    assert done == []
    assert mended is bad
    assert {f.kind for f in examine(mended)} >= {"not-finite", "atoms-on-top"}


def test_nothing_to_mend_in_an_empty_set(make_dataset):
    empty = make_dataset().select(np.zeros(40, dtype=bool))
    assert fix(empty) == (empty, [])
    assert [f.kind for f in examine(empty)] == ["empty"]


@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_mending_twice_changes_nothing(make_labelled, seed):
    """Frames of three states with random signs, walking in time."""
    frames = make_labelled(16, states=3, seed=seed, arrays={"time": 20.0 * np.arange(16)})
    frames = with_arrays(frames, group=np.full(16, "walk"))
    once, _ = fix(frames)
    twice, done = fix(once)
    assert done == []
    assert twice is once

"""Each fault is found, named and located, and a good dataset has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as array_strategy

from namd.data.checks import check_dataset, find_faults
from namd.data.distances import nearest_neighbours
from namd.data.finding import describe_frames
from namd.errors import DataError
from namd.units import ANGSTROM_PER_BOHR, EV_PER_ANGSTROM_PER_ATOMIC_FORCE


def changed(dataset, name, index, value):
    values = dataset[name].copy()
    values[index] = value
    return {name: values}


def test_a_good_dataset_has_no_faults(make_dataset):
    assert find_faults(make_dataset(), require_coupling=True) == []
    check_dataset(make_dataset(), path="set.h5", require_coupling=True)


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("positions", (7, 1, 2), np.nan, "'positions' is not finite"),
        ("energies", (7, 0), np.inf, "'energies' is not finite"),
        ("forces", (7, 1, 0, 0), np.nan, "'forces' is not finite"),
        ("forces", (7,), np.nan, "'forces' is not finite"),
        ("forces", (7, 1), np.nan, "the force of S1 is unknown"),
        ("forces", (7, 1), 0.0, "the force of S1 is exactly zero"),
        ("energies", (7, 0), 0.0, "do not ascend"),
        ("nonadiabatic_coupling", (7, 0, 1, 1), np.nan, "the coupling is not finite"),
        ("positions", (7, 1), [0.0, -1.40, -0.85], "atoms 1 .H. and 2 .H. are 0.0"),
        ("forces", (7, 1), 1.2, "above what molecules have"),
    ],
)
def test_faults_name_file_dataset_and_frame(make_dataset, name, index, value, message):
    good = make_dataset(walks=1, steps=10, single=0)
    still = np.broadcast_to(good["positions"][7], (10, 3, 3)).copy()
    still[:, 2] = [0.0, -1.43, -0.89]
    dataset = make_dataset(walks=1, steps=10, single=0, arrays={"positions": still})
    check_dataset(dataset, path="set.h5", require_coupling=True)
    bad = make_dataset(
        walks=1,
        steps=10,
        single=0,
        arrays={"positions": still, **changed(dataset, name, index, value)},
    )
    with pytest.raises(DataError, match=message) as caught:
        check_dataset(bad, path="set.h5", require_coupling=True)
    assert caught.value.where == f"set.h5  {name}, frame 7"
    assert caught.value.hint


@pytest.mark.parametrize("level", ["", " ", "unknown", "None"])
def test_unknown_level_of_theory_is_refused(make_dataset, level):
    with pytest.raises(DataError, match="level of theory"):
        check_dataset(make_dataset(level_of_theory=level), path="set.h5")


def test_missing_couplings_are_refused_only_where_required(make_dataset):
    dataset = make_dataset(arrays={"nonadiabatic_coupling": None})
    check_dataset(dataset, path="set.h5")
    with pytest.raises(DataError, match="no couplings"):
        check_dataset(dataset, path="set.h5", require_coupling=True)


def test_forces_of_some_states_may_be_unknown_where_allowed(make_dataset):
    dataset = make_dataset(arrays=changed(make_dataset(), "forces", (3, 0), np.nan))
    check_dataset(dataset, path="set.h5", require_forces=False)
    nothing = make_dataset(arrays=changed(make_dataset(), "forces", (3,), np.nan))
    with pytest.raises(DataError, match="not finite"):
        check_dataset(nothing, path="set.h5", require_forces=False)


@pytest.mark.parametrize("factor", [ANGSTROM_PER_BOHR, 1 / ANGSTROM_PER_BOHR])
def test_positions_in_the_wrong_unit_are_noticed_per_frame(make_dataset, factor):
    positions = make_dataset()["positions"].copy()
    positions[:5] *= factor
    with pytest.raises(DataError, match="not in Bohr") as caught:
        check_dataset(make_dataset(arrays={"positions": positions}), path="set.h5")
    assert "frames 0, 1, 2, 3, 4" in caught.value.where


def test_forces_in_ev_per_angstrom_are_noticed(make_dataset):
    forces = make_dataset()["forces"] * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    dataset = make_dataset(arrays={"forces": forces})
    assert [fault.name for fault in find_faults(dataset)] == ["forces"]


def test_charge_that_does_not_fit_the_multiplicity(make_dataset):
    molecule = type(make_dataset().molecule).from_numbers(np.array([8, 1, 1]), charge=1)
    with pytest.raises(DataError, match="9 electrons"):
        check_dataset(make_dataset(molecule=molecule), path="set.h5")
    check_dataset(make_dataset(molecule=molecule, multiplicity=2), path="set.h5")


def test_an_empty_dataset_is_refused(make_dataset):
    with pytest.raises(DataError, match="no frames"):
        check_dataset(make_dataset().select(np.zeros(40, dtype=bool)), path="set.h5")


@pytest.mark.parametrize(
    ("frames", "text"),
    [([], ""), ([3], ", frame 3"), (range(7), ", frames 0, 1, 2, 3, 4 and 2 more")],
)
def test_frames_in_words(frames, text):
    assert describe_frames(np.array(list(frames), dtype=int)) == text


@given(
    array_strategy(
        np.float64, (4, 5, 3), elements=st.floats(-5, 5, allow_subnormal=False, width=32)
    )
)
def test_nearest_neighbours_against_the_plain_loop(positions):
    distance, partner = nearest_neighbours(positions)
    for frame in range(4):
        for atom in range(5):
            others = [
                float(np.linalg.norm(positions[frame, atom] - positions[frame, b]))
                for b in range(5)
                if b != atom
            ]
            assert distance[frame, atom] == pytest.approx(min(others), abs=1e-12)
            assert partner[frame, atom] != atom

"""Labels taken into a dataset, and labels that are not."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from namd.data.adding import add_labels, free_prefix
from namd.data.dataset import Dataset
from namd.data.splits import is_held_out, split_groups
from namd.errors import ConfigError, DataError
from namd.units import EV_PER_HARTREE

Make = Callable[..., Dataset]


@pytest.fixture
def dataset(make_labelled: Make) -> Dataset:
    return make_labelled(24)


@pytest.fixture
def labels(make_labelled: Make) -> Dataset:
    return make_labelled(8, seed=5)


def changed(labels: Dataset, **arrays: Any) -> Dataset:
    return replace(labels, arrays={**labels.arrays, **arrays})


def test_labels_come_behind_the_old_frames_in_groups_of_their_own(
    dataset: Dataset, labels: Dataset
) -> None:
    made = add_labels(dataset, labels, prefix="active-00", where="labels.h5")
    assert len(made.dataset) == 32
    assert made.repeats.size == 0
    for name in dataset:
        np.testing.assert_array_equal(made.dataset[name][:24], dataset[name])
    np.testing.assert_array_equal(made.dataset["energies"][24:], labels["energies"])
    new = made.dataset["group"][24:].tolist()
    assert new == [f"active-00-{group}" for group in labels["group"]]
    step = made.dataset.provenance["steps"][-1]
    assert (step["added"], step["prefix"]) == (8, "active-00")


def test_couplings_follow_the_convention_of_the_dataset(dataset: Dataset, labels: Dataset) -> None:
    arrays = dict(labels.arrays)
    del arrays["nonadiabatic_coupling"]
    other = replace(labels, arrays={**arrays, "interstate_coupling": labels.interstate_coupling})
    made = add_labels(dataset, other, prefix="new", where="labels.h5").dataset
    np.testing.assert_allclose(
        made["nonadiabatic_coupling"][24:], labels["nonadiabatic_coupling"], rtol=1e-12
    )
    assert "interstate_coupling" not in made  # which no old frame would have


def test_what_only_one_of_both_has_is_unknown_in_the_other(make_labelled: Make) -> None:
    made = add_labels(
        make_labelled(10), make_labelled(6, seed=2, basis=True), prefix="n", where="l"
    ).dataset
    assert np.isnan(made["transition_dipoles"][:10]).all()
    assert np.isfinite(made["transition_dipoles"][10:]).all()


def test_known_geometries_are_left_out(dataset: Dataset, labels: Dataset) -> None:
    turned = dataset["positions"][:3] @ np.diag([-1.0, -1.0, 1.0])
    moved = {
        name: np.concatenate([labels[name][:2], dataset[name][:3], labels[name][5:]])
        for name in labels
    }
    moved["positions"][2:5] = turned
    made = add_labels(dataset, replace(labels, arrays=moved), prefix="new", where="labels.h5")
    assert made.repeats.tolist() == [2, 3, 4]
    assert made.added.tolist() == [0, 1, 5, 6, 7]
    assert len(made.dataset) == 29
    with pytest.raises(DataError, match="all 3 frames repeat"):
        add_labels(dataset, dataset.select(np.arange(3)), prefix="new", where="labels.h5")


def test_another_gap_at_a_known_geometry_is_refused(dataset: Dataset, labels: Dataset) -> None:
    arrays = {name: labels[name].copy() for name in labels}
    arrays["positions"][4] = dataset["positions"][7]
    arrays["energies"][4] = dataset["energies"][7] + [0.0, 0.1 / EV_PER_HARTREE]
    with pytest.raises(DataError, match=r"gap differs by 0\.100 eV") as caught:
        add_labels(dataset, replace(labels, arrays=arrays), prefix="new", where="labels.h5")
    assert caught.value.where == "labels.h5  energies, frame 4"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"level_of_theory": "CCSD"}, "level of theory differ"),
        ({"multiplicity": 3}, "multiplicity differ"),
    ],
)
def test_labels_of_something_else_are_refused(
    dataset: Dataset, labels: Dataset, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        add_labels(dataset, replace(labels, **change), prefix="new", where="labels.h5")


def test_labels_of_other_states_or_without_couplings_are_refused(
    dataset: Dataset, make_labelled: Make
) -> None:
    with pytest.raises(DataError, match="states differ"):
        add_labels(dataset, make_labelled(4, states=3), prefix="new", where="l")
    with pytest.raises(DataError, match="no couplings"):
        add_labels(dataset, make_labelled(4, seed=1, coupling=False), prefix="new", where="l")


def test_units_zeros_and_errors_are_refused(dataset: Dataset, labels: Dataset) -> None:
    def refused(told: str, **arrays: np.ndarray) -> None:
        with pytest.raises(DataError, match=told):
            add_labels(dataset, changed(labels, **arrays), prefix="new", where="l")

    refused(r"lie -\d+\.\d eV from those", energies=labels["energies"] * EV_PER_HARTREE)
    refused(r"lie \+13\d\.\d eV from those", energies=labels["energies"] + 5.0)
    refused("not in Bohr", positions=labels["positions"] * 0.529177)
    broken = labels["forces"].copy()
    broken[3, 1, 2] = np.inf
    refused("not finite", forces=broken)


def test_new_names_never_change_what_is_held_out(make_labelled: Make) -> None:
    dataset, labels = make_labelled(24), make_labelled(40, seed=5)
    labels = changed(labels, group=np.array([f"t{k}" for k in range(40)]))
    rule = {"test": ["walk-3", "*-t7"], "test_fraction": 0.4, "seed": 2}
    free = add_labels(dataset, labels, prefix="new", where="l").dataset
    before = split_groups(dataset["group"], test=["walk-3"], test_fraction=0.4, seed=2).test
    naive = split_groups(free["group"], test=["walk-3"], test_fraction=0.4, seed=2)
    assert naive.test.size > before.size  # without the rule some are drawn into the test
    made = add_labels(
        dataset, labels, prefix="new", where="l", held_out=partial(is_held_out, **rule)
    )
    after = split_groups(made.dataset["group"], test=["walk-3"], test_fraction=0.4, seed=2).test
    assert after.tolist() == before.tolist()
    assert made.groups["t7"] != "new-t7"
    with pytest.raises(ConfigError, match="would be held out"):
        add_labels(dataset, labels, prefix="new", where="l", held_out=lambda name: "new" in name)


def test_a_prefix_is_used_once(dataset: Dataset, labels: Dataset, make_labelled: Make) -> None:
    assert free_prefix(dataset) == "added-00"
    made = add_labels(dataset, labels, prefix="added-00", where="l").dataset
    assert free_prefix(made) == "added-01"
    with pytest.raises(ConfigError, match="groups that begin so"):
        add_labels(made, make_labelled(4, seed=9), prefix="added-00", where="l")

"""Errors by hand, key by key; gauge; what cannot be said is None."""

import json

import numpy as np
import pytest
import torch

from namd.errors import ModelError
from namd.train.evaluation import compare, require_fit
from namd.train.metrics import GAP_BINS_EV, Comparison, error_table
from namd.units import EV_PER_HARTREE

ERRORS = {"frames", "states", "gap_mae_mev", "coupling_r2", "coupling_cosine"}


def three_frames(**changes) -> Comparison:
    """Two states, one atom; gaps of 0.1, 0.3 and 5 eV; errors in round numbers."""
    reference = np.array([[0.0, 0.1], [1.0, 1.3], [0.0, 5.0]])
    energies = reference + np.array([[0.010, 0.010], [0.020, -0.010], [0.030, 0.060]])
    forces = np.zeros((3, 2, 1, 3))
    forces[:, 0, 0] = [[0.1, -0.1, 0.1], [0.0, 0.0, 0.3], [0.2, 0.2, -0.2]]
    forces[:, 1, 0] = [[0.0, 0.0, 0.0], [0.6, 0.0, 0.0], [0.0, 0.0, 0.0]]
    coupling = np.zeros((3, 1, 1, 3))
    coupling[:, 0, 0] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 4.0]]
    reference_coupling = np.zeros((3, 1, 1, 3))
    reference_coupling[:, 0, 0] = [[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 3.0, 4.0]]
    fields = {
        "energies": energies,
        "reference_energies": reference,
        "forces": forces,
        "reference_forces": np.zeros_like(forces),
        "coupling": coupling,
        "reference_coupling": reference_coupling,
    }
    return Comparison(**(fields | changes))


def test_every_number_by_hand():
    table = error_table(three_frames())
    assert set(table) == ERRORS | {"bins"}
    assert table["frames"] == 3
    assert [s["energy_mae_mev"] for s in table["states"]] == pytest.approx([20.0, 80 / 3])
    forces = [s["force_mae_mev_per_angstrom"] for s in table["states"]]
    assert forces == pytest.approx([400 / 3, 200 / 3])
    assert table["gap_mae_mev"] == pytest.approx((0 + 30 + 30) / 3)
    # Σ|h − h_ref|² = 1 + 1 + 0 and Σ|h_ref|² = 4 + 2 + 25; cosines 1, 1/√2, 1.
    assert table["coupling_r2"] == pytest.approx(1 - 2 / 31)
    assert table["coupling_cosine"] == pytest.approx((2 + 0.5**0.5) / 3)


def test_bins_by_hand():
    bins = error_table(three_frames())["bins"]
    edges = [entry["gap_ev"] for entry in bins]
    assert edges[0] == [0.0, GAP_BINS_EV[1]]
    assert edges[-1] == [GAP_BINS_EV[-2], None]
    assert [low for low, _ in edges[1:]] == [high for _, high in edges[:-1]]
    filled = {tuple(entry["gap_ev"]): entry for entry in bins if entry["frames"]}
    assert set(filled) == {(0.0, 0.25), (0.25, 0.5), (4.0, None)}
    middle = filled[0.25, 0.5]
    assert set(middle) == ERRORS | {"gap_ev"}
    assert [s["energy_mae_mev"] for s in middle["states"]] == pytest.approx([20.0, 10.0])
    assert middle["gap_mae_mev"] == pytest.approx(30.0)
    assert middle["coupling_r2"] == pytest.approx(0.5)
    assert middle["coupling_cosine"] == pytest.approx(0.5**0.5)
    empty = bins[2]
    assert empty["frames"] == 0
    assert empty["gap_mae_mev"] is empty["coupling_r2"] is empty["coupling_cosine"] is None
    nothing = {"energy_mae_mev": None, "force_mae_mev_per_angstrom": None}
    assert empty["states"] == [nothing, nothing]
    assert sum(entry["frames"] for entry in bins) == 3
    json.dumps(error_table(three_frames()), allow_nan=False)


def test_a_constant_offset_is_an_error():
    c = three_frames()
    shifted = error_table(three_frames(energies=c.reference_energies + 0.5))
    assert [s["energy_mae_mev"] for s in shifted["states"]] == pytest.approx([500.0, 500.0])
    assert shifted["gap_mae_mev"] == pytest.approx(0.0, abs=1e-9)


def test_without_reference_couplings_nothing_is_said_of_them():
    table = error_table(three_frames(coupling=None, reference_coupling=None))
    assert table["coupling_r2"] is None
    assert table["coupling_cosine"] is None
    assert table["gap_mae_mev"] == pytest.approx(20.0)


def test_unknown_couplings_of_some_frames_are_left_out():
    known = three_frames().reference_coupling.copy()
    known[1] = np.nan
    table = error_table(three_frames(reference_coupling=known))
    assert table["coupling_r2"] == pytest.approx(1 - 1 / 29)
    assert table["coupling_cosine"] == pytest.approx(1.0)
    assert table["frames"] == 3
    known[:] = np.nan
    table = error_table(three_frames(reference_coupling=known))
    assert table["coupling_r2"] is table["coupling_cosine"] is None


def test_the_smallest_gap_decides_the_bin():
    energies = np.array([[0.0, 3.5, 3.6]])
    c = Comparison(
        energies=energies,
        reference_energies=energies,
        forces=np.zeros((1, 3, 1, 3)),
        reference_forces=np.zeros((1, 3, 1, 3)),
        coupling=None,
        reference_coupling=None,
    )
    (entry,) = (b for b in error_table(c)["bins"] if b["frames"])
    assert entry["gap_ev"] == [0.0, 0.25]


def test_one_state_has_no_gap_no_coupling_and_no_bins(make_labelled, make_model):
    dataset = make_labelled(5, states=1)
    model = make_model(dataset)
    table = error_table(compare(model, dataset))
    assert table["bins"] == []
    assert table["gap_mae_mev"] is table["coupling_r2"] is table["coupling_cosine"] is None
    assert len(table["states"]) == 1
    assert table["states"][0]["force_mae_mev_per_angstrom"] > 0


@pytest.mark.parametrize("states", [2, 3])
def test_signs_of_the_labels_do_not_matter(make_labelled, make_model, states):
    """The same molecule with every state's sign drawn anew, and as the eigensolver gave it."""
    flipped = make_labelled(40, states=states)
    plain = make_labelled(40, states=states, flips=False)
    model = make_model(flipped)
    one, other = (error_table(compare(model, d)) for d in (flipped, plain))
    assert one["coupling_r2"] == pytest.approx(other["coupling_r2"], rel=1e-12)
    assert one["coupling_cosine"] == pytest.approx(other["coupling_cosine"], rel=1e-12)


def test_a_perfect_model_scores_perfectly(make_labelled, make_model):
    """Labels made by the model itself, in the units of the dataset."""
    dataset = make_labelled(40)
    model = make_model(dataset, double=True)
    made = model.adiabatic(torch.from_numpy(dataset["positions"]))
    gap = (made.energies[:, 1] - made.energies[:, 0])[:, None, None, None]
    own = make_labelled(
        40,
        arrays={
            "energies": made.energies.numpy(),
            "forces": made.forces.numpy(),
            "nonadiabatic_coupling": (-made.interstate_coupling / gap).numpy(),
        },
    )
    table = error_table(compare(model, own))
    assert table["coupling_r2"] == pytest.approx(1.0)
    assert table["coupling_cosine"] == pytest.approx(1.0)
    for state in table["states"]:
        assert state["energy_mae_mev"] < 1e-6
        assert state["force_mae_mev_per_angstrom"] < 1e-6


def test_units_are_those_of_the_names(make_labelled, make_model):
    dataset = make_labelled(6)
    model = make_model(dataset, double=True)
    comparison = compare(model, dataset)
    predicted = model.adiabatic(torch.from_numpy(dataset["positions"]))
    ours = (predicted.energies.numpy() - dataset["energies"]) * 27.211386
    assert error_table(comparison)["states"][0]["energy_mae_mev"] == pytest.approx(
        1e3 * np.abs(ours[:, 0]).mean(), rel=1e-6
    )
    theirs = np.abs(predicted.forces.numpy() - dataset["forces"]).mean((0, 2, 3))
    assert error_table(comparison)["states"][1]["force_mae_mev_per_angstrom"] == pytest.approx(
        1e3 * theirs[1] * 51.422067, rel=1e-6
    )
    assert pytest.approx(27.211386, rel=1e-7) == EV_PER_HARTREE


def test_another_molecule_or_number_of_states_does_not_fit(make_labelled, make_model):
    from namd.molecule import Molecule

    model = make_model(make_labelled(4))
    require_fit(model, make_labelled(4), where="x")
    with pytest.raises(ModelError, match="has 2 states, the data 3"):
        require_fit(model, make_labelled(4, states=3), where="x")
    swapped = Molecule.from_numbers(np.array([7, 6, 1, 1, 1, 1]), charge=1)
    with pytest.raises(ModelError, match="order of atoms"):
        require_fit(model, make_labelled(4, molecule=swapped), where="x")

"""What inspection tells is counted and measured right, in the units it names."""

import json

import numpy as np
import pytest

from namd.data.doctor.examine import examine
from namd.data.doctor.outliers import robust_score
from namd.data.doctor.steps import unexplained_energy
from namd.data.inspection import GAP_BINS_EV, inspect_dataset
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE


def messages(dataset):
    return {finding.message: finding.frames.tolist() for finding in examine(dataset)}


def test_a_good_dataset_raises_no_suspicion(make_dataset):
    assert messages(make_dataset(steps=30)) == {}


def test_numbers_are_in_the_units_they_name(make_dataset):
    dataset = make_dataset()
    report = inspect_dataset(dataset).as_json()
    energies = (dataset["energies"] - dataset["energies"][:, 0].min()) * EV_PER_HARTREE
    s1 = report["state_ranges"][1]
    assert s1["energy_ev"]["maximum"] == pytest.approx(energies[:, 1].max(), abs=1e-6)
    rms = np.sqrt((dataset["forces"][:, 1] ** 2).mean((1, 2)))
    rms = np.median(rms) * EV_PER_HARTREE / ANGSTROM_PER_BOHR
    assert s1["force_rms_ev_per_angstrom"]["median"] == pytest.approx(rms, abs=1e-6)
    (pair,) = report["pairs"]
    d = np.linalg.norm(dataset["nonadiabatic_coupling"][:, 0].reshape(40, -1), axis=1)
    largest = pair["nonadiabatic_coupling_per_angstrom"]["maximum"]
    assert largest == pytest.approx(d.max() / ANGSTROM_PER_BOHR, abs=1e-6)
    gaps = dataset.gaps[:, 0] * EV_PER_HARTREE
    for entry in pair["gap_histogram"]:
        low, high = entry["gap_ev"]
        inside = (gaps >= low) & (gaps < (np.inf if high is None else high))
        assert entry["frames"] == inside.sum()
    assert len(pair["gap_histogram"]) == len(GAP_BINS_EV)


def test_d_follows_from_h(make_dataset):
    from_d = make_dataset()
    h = from_d.interstate_coupling
    from_h = make_dataset(arrays={"nonadiabatic_coupling": None, "interstate_coupling": h})
    one, two = (inspect_dataset(dataset).as_json() for dataset in (from_d, from_h))
    assert one["pairs"] == two["pairs"]


def test_counts(make_dataset):
    report = inspect_dataset(make_dataset()).as_json()
    assert report["frames"] == 40
    assert report["sources"] == {"traj": 36, "wigner": 4}
    assert report["groups"]["count"] == 7
    assert report["groups"]["largest"][0] == {"group": "traj-0", "frames": 12}
    assert report["formula"] == "H2O"
    assert report["usable"]


def test_json_is_strict_whatever_the_numbers(make_dataset):
    nothing = np.full_like(make_dataset()["energies"], np.nan)
    report = inspect_dataset(make_dataset(arrays={"energies": nothing})).as_json()
    assert not report["usable"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    empty = inspect_dataset(make_dataset().select(np.zeros(40, dtype=bool))).as_json()
    assert json.loads(json.dumps(empty, allow_nan=False))["frames"] == 0


def test_harmonic_energies_are_explained_by_their_forces(make_dataset):
    dataset = make_dataset(walks=1, steps=20, single=0)
    left = unexplained_energy(dataset, np.arange(19), np.arange(1, 20))
    np.testing.assert_allclose(left, 0.0, atol=1e-13)


def test_a_jump_is_found_in_its_state_and_frame(make_dataset):
    energies = make_dataset()["energies"].copy()
    energies[17:24, 1] += 0.1 / EV_PER_HARTREE
    found = messages(make_dataset(arrays={"energies": energies}))
    (text,) = found
    assert text.startswith("the energy of S1 jumps")
    assert found[text] == [17]  # and back at 24, where another trajectory begins


def test_energies_in_another_unit_are_told(make_dataset):
    dataset = make_dataset(walks=0)
    in_ev = dataset["energies"] * EV_PER_HARTREE
    found = messages(make_dataset(walks=0, arrays={"energies": in_ev}))
    assert found["states are more than 30 eV apart: are the energies in Hartree?"] == [0, 1, 2, 3]


def test_infinite_energies_are_inspected_without_a_warning(make_dataset):
    energies = make_dataset()["energies"].copy()
    energies[3] = np.inf
    assert not inspect_dataset(make_dataset(arrays={"energies": energies})).usable


def test_an_outlier_is_found_where_a_plain_score_is_blinded(make_dataset):
    energies = make_dataset(walks=0, single=60)["energies"].copy()
    energies[[5, 9]] += 40.0
    found = messages(make_dataset(walks=0, single=60, arrays={"energies": energies}))
    assert found["energies of S0 are outliers"] == [5, 9]
    assert np.abs(robust_score(np.ones(5))).max() == 0


def test_far_atom_repeat_and_wrong_hamiltonian_are_found(make_dataset):
    base = make_dataset(walks=0, single=12)
    positions, energies = base["positions"].copy(), base["energies"].copy()
    positions[4, 1] += [0.0, 7.0, 0.0]
    positions[8], energies[8] = positions[2], energies[2]
    w = np.array([np.diag(row) for row in energies])
    w[6, 0, 1] = w[6, 1, 0] = 0.05
    w[7] = np.nan
    found = messages(
        make_dataset(
            walks=0,
            single=12,
            arrays={"positions": positions, "energies": energies, "diabatic_hamiltonian": w},
        )
    )
    assert found["an atom is more than 3 Å from every other"] == [4]
    assert found["repeat a frame of another group: a split may leak them into the test"] == [8]
    assert found["the eigenvalues of W are not the energies (> 1 meV)"] == [6]


def test_unknown_labels_are_told(make_dataset):
    forces = make_dataset()["forces"].copy()
    forces[3, 0] = np.nan
    coupling = make_dataset()["nonadiabatic_coupling"].copy()
    coupling[5] = np.nan
    inspection = inspect_dataset(
        make_dataset(arrays={"forces": forces, "nonadiabatic_coupling": coupling})
    )
    assert inspection.usable
    frames = {s.message.split(":")[0]: s.frames.tolist() for s in inspection.of("warning")}
    assert frames["the force of S0 is unknown"] == [3]
    assert frames["the coupling is unknown"] == [5]

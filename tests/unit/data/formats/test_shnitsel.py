"""SHNITSEL's NetCDF: files as its versions write them, made here, and the way back."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from namd.data.formats.registry import FORMATS, format_of_content
from namd.data.formats.shnitsel import read_shnitsel
from namd.data.formats.shnitsel_writer import write_shnitsel
from namd.data.formats.stated import Stated
from namd.data.native import write_dataset
from namd.errors import DataError
from namd.schema import PROPERTIES
from namd.units import (
    ANGSTROM_PER_BOHR,
    DEBYE_PER_ATOMIC_DIPOLE,
    EV_PER_HARTREE,
    FS_PER_ATOMIC_TIME,
)

STEPS, STATES, ATOMS = 4, 3, 3
UNITS = {
    "atXYZ": "Bohr",
    "energy": "Hartree",
    "forces": "Hartree/Bohr",
    "nacs": "1/Bohr",
    "dip_trans": "debye",
    "velocities": "au",
}


def columns(seed=0):
    """Random numbers in the shapes of a trajectory, axis by axis."""
    rng = np.random.default_rng(seed)
    axes = {
        "atXYZ": ("time", "atom", "direction"),
        "velocities": ("time", "atom", "direction"),
        "energy": ("time", "state"),
        "forces": ("time", "state", "atom", "direction"),
        "nacs": ("time", "statecomb", "atom", "direction"),
        "dip_trans": ("time", "statecomb", "direction"),
    }
    length = {"time": STEPS, "state": STATES, "atom": ATOMS, "direction": 3, "statecomb": 3}
    table = {
        name: (words, rng.standard_normal([length[word] for word in words]))
        for name, words in axes.items()
    }
    table["energy"] = (table["energy"][0], np.sort(table["energy"][1], axis=1) - 76)
    return table | {
        "time": (("time",), 0.5 * np.arange(STEPS)),
        "astate": (("time",), np.array([3, 3, 2, -1])),
        "atNums": (("atom",), np.array([8, 1, 1])),
        "state": (("state",), np.array([1, 2, 3])),
        "state_types": (("state",), np.array([1, 1, 1])),
        "state_names": (("state",), np.array(["S0", "S1", "S2"])),
        "from": (("statecomb",), np.array([1, 1, 2])),
        "to": (("statecomb",), np.array([2, 3, 3])),
    }


def put(group, table, *, units, encode=json.dumps, **attributes):
    """Write a group as the NetCDF library does: dimension scales, and axes attached to them."""
    lengths = {
        word: size
        for words, values in table.values()
        for word, size in zip(words, values.shape, strict=True)
    }
    own = {name for name, (words, _) in table.items() if words == (name,)}
    for word in sorted(lengths.keys() - own):
        scale = group.create_dataset(word, shape=(lengths[word],), dtype=">f4")
        note = "This is a netCDF dimension but not a netCDF variable."
        scale.make_scale(f"{note}{lengths[word]:10d}")
    for name, (words, values) in sorted(table.items(), key=lambda item: item[0] not in own):
        stored = values.astype(object) if values.dtype.kind == "U" else values
        variable = group.create_dataset(name, data=stored)
        if name in own:
            variable.make_scale(name)
        else:
            for axis, word in zip(variable.dims, words, strict=True):
                axis.attach_scale(group[word])
        if name in units:
            variable.attrs["units"] = encode(units[name])
    for name, value in attributes.items():
        group.attrs[name] = encode(value)


@pytest.fixture
def write_tree(tmp_path):
    """A file of version 1.2 with one trajectory per table."""

    def write_tree(*tables, units=UNITS, **attributes):
        path = tmp_path / "tree.nc"
        told = {"est_level": "CASSCF(2,2)", "theory_basis_set": "cc-pVDZ", **attributes}
        with h5py.File(path, "w") as file:
            file.attrs["__shnitsel_format_version"] = "v1.2"
            for number, table in enumerate(tables):
                put(file.create_group(f"unknown/{number}"), table, units=units, **told)
        return path

    return write_tree


def test_a_tree_of_version_1_2(write_tree):
    first, second = columns(1), columns(2)
    warnings = []
    units = {**UNITS, "time": "fs"}
    dataset = read_shnitsel(
        write_tree(first, second, units=units, charge=1), Stated(warn=warnings.append)
    )
    assert not warnings
    assert dataset.level_of_theory == "CASSCF(2,2)/cc-pVDZ"
    assert dataset.states.labels == ("S0", "S1", "S2")
    assert dataset.molecule.symbols == ("O", "H", "H")
    assert dataset.molecule.charge == 1
    assert dataset["group"].tolist() == ["tree/unknown/0"] * STEPS + ["tree/unknown/1"] * STEPS
    assert set(dataset["source"]) == {"traj"}
    assert dataset["active_state"].tolist() == [2, 2, 1, -1] * 2
    for ours, theirs, factor in (
        ("positions", "atXYZ", 1),
        ("energies", "energy", 1),
        ("forces", "forces", 1),
        ("nonadiabatic_coupling", "nacs", 1),
        ("velocities", "velocities", 1),
        ("transition_dipoles", "dip_trans", 1 / DEBYE_PER_ATOMIC_DIPOLE),
        ("time", "time", 1 / FS_PER_ATOMIC_TIME),
    ):
        expected = factor * np.concatenate([table[theirs][1] for table in (first, second)])
        np.testing.assert_allclose(dataset[ours], expected, rtol=1e-14, err_msg=ours)


def test_axes_are_told_by_their_names_and_units_by_theirs(write_tree):
    table = columns()
    for name in ("atXYZ", "forces", "nacs"):
        axes, values = table[name]
        table[name] = (axes[::-1], np.transpose(values))
    table["atXYZ"] = (table["atXYZ"][0], table["atXYZ"][1] * ANGSTROM_PER_BOHR)
    table["energy"] = (table["energy"][0], table["energy"][1] * EV_PER_HARTREE)
    units = {**UNITS, "atXYZ": "Angstrom", "energy": "eV", "time": "fs"}
    dataset, plain = read_shnitsel(write_tree(table, units=units), Stated()), columns()
    np.testing.assert_allclose(dataset["positions"], plain["atXYZ"][1], rtol=1e-12)
    np.testing.assert_allclose(dataset["energies"], plain["energy"][1], rtol=1e-12)
    np.testing.assert_array_equal(dataset["forces"], plain["forces"][1])


def test_pairs_are_told_by_their_states(write_tree):
    """2→1 instead of 1→2 turns a coupling and leaves a dipole; a pair that lacks is unknown."""
    table, plain = columns(), columns()
    chosen = [2, 0]
    for name in ("nacs", "dip_trans"):
        table[name] = (table[name][0], table[name][1][:, chosen])
    table["from"] = (("statecomb",), np.array([2, 2]))
    table["to"] = (("statecomb",), np.array([3, 1]))
    dataset = read_shnitsel(write_tree(table, units={**UNITS, "time": "fs"}), Stated())
    d, mu = dataset["nonadiabatic_coupling"], dataset["transition_dipoles"]
    np.testing.assert_array_equal(d[:, 0], -plain["nacs"][1][:, 0])
    np.testing.assert_array_equal(d[:, 2], plain["nacs"][1][:, 2])
    assert np.isnan(d[:, 1]).all()
    dipoles = plain["dip_trans"][1] / DEBYE_PER_ATOMIC_DIPOLE
    np.testing.assert_allclose(mu[:, 0], dipoles[:, 0], rtol=1e-14)


def test_vectors_of_zeros_were_not_computed(write_tree):
    table = columns()
    table["forces"][1][1:, 0] = 0.0
    table["nacs"][1][2, 1] = 0.0
    dataset = read_shnitsel(write_tree(table), Stated())
    assert np.isnan(dataset["forces"][1:, 0]).all()
    assert np.isfinite(dataset["forces"][0]).all()
    assert np.isnan(dataset["nonadiabatic_coupling"][2, 1]).all()
    assert np.isfinite(dataset["nonadiabatic_coupling"][2, [0, 2]]).all()


def test_one_table_of_version_1_0(tmp_path):
    """Frames of all trajectories below one another, plain attributes, units not all stated."""
    table = {
        name: (tuple("frame" if word == "time" else word for word in words), values)
        for name, (words, values) in columns().items()
        if name not in ("state_types", "state_names")
    }
    table["trajid"] = (("frame",), np.array([7, 7, 9, 9]))
    table["socs"] = (("frame",), np.ones(STEPS))
    units = {"atXYZ": "Bohr", "energy": "hartree", "forces": "hartree/bohr", "time": "fs"}
    with h5py.File(tmp_path / "old.nc", "w") as file:
        put(file, table, units=units, encode=str)
    warnings = []
    dataset = read_shnitsel(tmp_path / "old.nc", Stated(warn=warnings.append))
    assert dataset["group"].tolist() == ["old/7", "old/7", "old/9", "old/9"]
    assert dataset.states.labels == ("S0", "S1", "S2")
    np.testing.assert_array_equal(dataset["nonadiabatic_coupling"], table["nacs"][1])
    assumed, left = warnings
    assert "the units of dip_trans, nacs, velocities are not stated" in assumed
    assert left.endswith("not taken over: socs")


def test_a_group_of_one_geometry_need_not_have_an_axis_of_frames(write_tree):
    table = {
        name: (words[1:], values[0]) if words[0] == "time" else (words, values)
        for name, (words, values) in columns().items()
        if name != "time"
    }
    dataset = read_shnitsel(write_tree(table), Stated())
    assert len(dataset) == 1
    np.testing.assert_array_equal(dataset["forces"][0], columns()["forces"][1][0])


def test_couplings_in_units_of_a_force_are_interstate(write_tree):
    h = columns()["nacs"][1]
    by_file = read_shnitsel(write_tree(columns(), units={**UNITS, "nacs": "eV/Angstrom"}), Stated())
    np.testing.assert_allclose(by_file["interstate_coupling"] * 51.42206747, h, rtol=1e-8)
    stated = Stated(units={"nacs": "Hartree/Bohr"})
    by_user = read_shnitsel(write_tree(columns()), stated)
    np.testing.assert_array_equal(by_user["interstate_coupling"], h)
    assert "nonadiabatic_coupling" not in by_user


@pytest.mark.parametrize(
    ("changes", "units", "message"),
    [
        ({"forces": None}, UNITS, "there is no 'forces'"),
        ({"from": None}, UNITS, "'from' and 'to'"),
        ({"state_types": (("state",), np.array([1, 1, 3]))}, UNITS, "several multiplicities"),
        ({}, {**UNITS, "energy": "kcal"}, "unit 'kcal' of 'energy'"),
        ({}, {**UNITS, "forces": "1"}, "unit of 'forces' is not stated"),
        (
            {"forces": (("time", "atom", "direction"), np.ones((STEPS, ATOMS, 3)))},
            UNITS,
            "the axes of 'forces' are time, atom, direction, expected time, state, atom, direction",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_group(write_tree, changes, units, message):
    table = {name: values for name, values in (columns() | changes).items() if values is not None}
    with pytest.raises(DataError, match=message) as got:
        read_shnitsel(write_tree(table, units=units), Stated())
    assert "tree.nc" in got.value.where
    assert "/unknown/0" in got.value.where


def test_trajectories_of_two_molecules_are_refused(write_tree):
    other = columns() | {"atNums": (("atom",), np.array([16, 1, 1]))}
    with pytest.raises(DataError, match=r"numbers differ: \(16, 1, 1\) here") as got:
        read_shnitsel(write_tree(columns(), other), Stated())
    assert got.value.where.endswith("/unknown/1")


def test_our_own_hdf5_and_damaged_files_are_none(make_dataset, tmp_path):
    write_dataset(make_dataset(), tmp_path / "ours.nc")
    assert format_of_content(tmp_path / "ours.nc") is FORMATS["hdf5"]
    write_shnitsel(make_dataset(), tmp_path / "theirs.h5")
    assert format_of_content(tmp_path / "theirs.h5") is FORMATS["shnitsel"]
    (tmp_path / "cut.nc").write_bytes((tmp_path / "theirs.h5").read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated"):
        format_of_content(tmp_path / "cut.nc")


def test_every_property_comes_back(everything, tmp_path):
    warnings = []
    write_shnitsel(everything, tmp_path / "all.nc")
    back = read_shnitsel(tmp_path / "all.nc", Stated(warn=warnings.append))
    assert set(back) == set(PROPERTIES)
    for name in PROPERTIES:
        if PROPERTIES[name].dtype == "str":
            assert back[name].tolist() == everything[name].tolist()
        else:
            np.testing.assert_allclose(back[name], everything[name], rtol=4e-16, err_msg=name)
    for field in ("level_of_theory", "states", "multiplicity", "title", "licence"):
        assert getattr(back, field) == getattr(everything, field)
    assert back.molecule.charge == 1
    assert not warnings


def test_trajectories_are_groups_and_other_frames_one_more(make_dataset, tmp_path):
    """Walks and single frames in any order; the order comes back."""
    mixed = make_dataset(walks=2, steps=5, single=3)
    order = np.array([10, 0, 5, 1, 6, 11, 2, 7, 3, 8, 4, 9, 12])
    dataset = mixed.select(order)
    write_shnitsel(dataset, tmp_path / "mixed.nc")
    with h5py.File(tmp_path / "mixed.nc") as file:
        sizes = [file[f"H2O/{k}/atXYZ"].shape[0] for k in range(3)]
        assert sizes == [5, 5, 3]
        assert len(file["H2O"]) == 3
        leading = {file[f"H2O/{k}/atXYZ"].dims[0][0].name.rpartition("/")[2] for k in range(3)}
        assert leading == {"frame"}
        assert "time" not in file["H2O/2"]
        assert file["H2O/0"].attrs["group"] == '"traj-0"'
        assert file["H2O/0/atXYZ"].attrs["units"] == '"Bohr"'
    back = read_shnitsel(tmp_path / "mixed.nc", Stated())
    assert back["group"].tolist() == dataset["group"].tolist()
    assert back["source"].tolist() == dataset["source"].tolist()
    np.testing.assert_array_equal(back["positions"], dataset["positions"])
    np.testing.assert_allclose(back["time"], dataset["time"], rtol=4e-16)


def test_trajectories_alone_have_an_axis_of_time(make_dataset, tmp_path):
    dataset = make_dataset(walks=2, steps=5, single=0)
    write_shnitsel(dataset, tmp_path / "walks.nc")
    with h5py.File(tmp_path / "walks.nc") as file:
        assert file["H2O/1/forces"].dims[0][0] == file["H2O/1/time"]
        np.testing.assert_allclose(file["H2O/1/time"][1], 0.5, rtol=1e-4)
        assert file["H2O/1/time"].attrs["units"] == '"fs"'
    back = read_shnitsel(tmp_path / "walks.nc", Stated())
    np.testing.assert_allclose(back["time"], dataset["time"], rtol=4e-16)


def test_couplings_given_as_h_alone_come_back_as_h_and_stand_as_d(make_labelled, tmp_path):
    dataset = make_labelled(4)
    h = dataset.interstate_coupling
    only_h = make_labelled(4, arrays={"nonadiabatic_coupling": None, "interstate_coupling": h})
    write_shnitsel(only_h, tmp_path / "h.nc")
    back = read_shnitsel(tmp_path / "h.nc", Stated())
    np.testing.assert_array_equal(back["interstate_coupling"], h)
    assert "nonadiabatic_coupling" not in back
    with h5py.File(tmp_path / "h.nc") as file:
        d, expected = file["CH4N/0/nacs"][()], dataset["nonadiabatic_coupling"]
    np.testing.assert_allclose(d, expected, rtol=1e-12)


def test_unknown_units_under_our_names_are_no_part_of_another_file(everything, tmp_path):
    """Without the entry that tells it is ours, variables of unknown names are left and told."""
    write_shnitsel(everything, tmp_path / "all.nc")
    with h5py.File(tmp_path / "all.nc", "r+") as file:
        del file.attrs["namd"]
    warnings = []
    back = read_shnitsel(tmp_path / "all.nc", Stated(warn=warnings.append))
    assert "diabatic_hamiltonian" not in back
    assert "diabatic_hamiltonian" in warnings[-1]


def test_a_variable_that_others_took_out_is_not_missed(everything, tmp_path):
    write_shnitsel(everything, tmp_path / "all.nc")
    with h5py.File(tmp_path / "all.nc", "r+") as file:
        for leaf in file["CH4N"].values():
            del leaf["dip_perm"]
    assert set(read_shnitsel(tmp_path / "all.nc", Stated())) == set(PROPERTIES) - {"dipoles"}


def test_what_a_dataset_lacks_it_lacks_afterwards(make_dataset, tmp_path):
    """Couplings, times and active states among them."""
    plain = make_dataset(walks=0, single=5)
    arrays = {k: plain[k] for k in ("positions", "energies", "forces", "group", "source")}
    write_shnitsel(replace(plain, arrays=arrays), tmp_path / "plain.nc")
    assert set(read_shnitsel(tmp_path / "plain.nc", Stated())) == set(arrays)

"""ASE databases: SPaiNN's real ones, what they contradict, and the way back."""

from pathlib import Path

import ase.db
import numpy as np
import pytest

from namd.data.doctor.steps import unexplained_energy
from namd.data.formats.ase_db import read_ase_db, write_ase_db
from namd.data.formats.stated import Stated
from namd.errors import DataError
from namd.schema import PROPERTIES

DATA = Path(__file__).parents[3] / "data"
BUTENE = DATA / "cis-butene-spainn-mini.db"
MIXED = DATA / "ch2nh2-spainn-mini.db"


@pytest.fixture
def change(tmp_path):
    """Copy a database, with its rows' data and its metadata changed by two functions."""

    def change(source, *, data=lambda _: None, metadata=lambda _: None):
        path = tmp_path / "changed.db"
        with ase.db.connect(source) as old, ase.db.connect(path) as new:
            for row in old.select():
                values = dict(row.data)
                data(values)
                new.write(row.toatoms(), data=values)
            told = dict(old.metadata)
            metadata(told)
        new.metadata = told
        return path

    return change


def test_real_butene():
    warnings = []
    dataset = read_ase_db(BUTENE, Stated(warn=warnings.append))
    with ase.db.connect(BUTENE) as database:
        row = database.get(2)
    assert dataset.molecule.formula == "C4H8"
    assert dataset.level_of_theory == "SA3-CASSCF(2,2)"
    assert dataset.states.labels == ("S0", "S1", "S2")
    np.testing.assert_array_equal(dataset["positions"][1], row.positions)
    np.testing.assert_array_equal(dataset["forces"][1, 2], row.data["forces"][:, 2])
    np.testing.assert_array_equal(dataset["transition_dipoles"][1, 1], row.data["dipoles"][2])
    np.testing.assert_array_equal(dataset["dipoles"][1, 1], row.data["dipoles"][3])
    smooth = -np.swapaxes(row.data["smooth_nacs"], 0, 1)
    np.testing.assert_allclose(dataset.interstate_coupling[1], smooth, atol=1e-12)
    (warning,) = warnings
    assert "nacs (1/bohr), smooth_nacs (hartree/bohr), dipoles (e*bohr)" in warning


def test_rows_in_another_unit_are_refused_by_number():
    with pytest.raises(
        DataError, match=r"0\.29 times their usual length, 0\.96 in the others"
    ) as got:
        read_ase_db(MIXED, Stated())
    assert got.value.where.endswith("rows 1-2")
    assert "--frames" in got.value.hint


def test_the_other_rows_are_sound():
    """ΔE of neighbouring geometries is −F·ΔR: units and signs of E, F and R fit together."""
    warnings = []
    dataset = read_ase_db(MIXED, Stated(frames=slice(2, None), warn=warnings.append))
    frames = np.arange(len(dataset))
    left = unexplained_energy(dataset, frames[:-1], frames[1:])
    swing = np.abs(np.diff(dataset["energies"], axis=0))
    assert np.nanmax(np.abs(left)) < 0.05 * swing.max()
    assert any("not taken over: socs" in warning for warning in warnings)


def test_units_the_metadata_lack_are_asked_for_and_used(change):
    def silence(metadata):
        del metadata["_distance_unit"], metadata["_property_unit_dict"]

    path = change(BUTENE, metadata=silence)
    units = {}
    for name in ("distance", "energy", "forces"):
        with pytest.raises(DataError, match=f"unit of '{name}' is not stated"):
            read_ase_db(path, Stated(units=units))
        units[name] = "au"
    same = read_ase_db(BUTENE, Stated())
    np.testing.assert_array_equal(read_ase_db(path, Stated(units=units))["forces"], same["forces"])
    other = read_ase_db(path, Stated(units={**units, "forces": "eV/Angstrom"}))
    np.testing.assert_allclose(other["forces"], same["forces"] / 51.42206747, rtol=1e-8)
    with pytest.raises(DataError, match=r"1\.\d+ times their usual length") as got:
        read_ase_db(path, Stated(units={**units, "distance": "Angstrom"}))
    assert "--units distance" in got.value.hint


def test_couplings_of_another_kind_are_noticed(change):
    def interstate(data):
        data["nacs"] = -data["smooth_nacs"]

    with pytest.raises(DataError, match="'smooth_nacs' is not") as got:
        read_ase_db(change(BUTENE, data=interstate), Stated())
    assert got.value.where.endswith("rows 1-4")


def test_schnarc_has_its_states_first(change):
    def schnarc(data):
        del data["smooth_nacs"]
        data["energy"] = data["energy"][0]
        for name in ("forces", "nacs"):
            data[name] = np.swapaxes(data[name], 0, 1)

    theirs, ours = (read_ase_db(path, Stated()) for path in (change(BUTENE, data=schnarc), BUTENE))
    for name in ("energies", "forces", "nonadiabatic_coupling", "dipoles"):
        np.testing.assert_array_equal(theirs[name], ours[name])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": lambda told: told.update(n_triplets=2)}, "several multiplicities"),
        ({"metadata": lambda told: told.update(_distance_unit="eV")}, "'eV' of 'distance'"),
        ({"metadata": lambda told: told.update(n_singlets=2)}, "n_singlets is 2, .* 3 states"),
        ({"metadata": lambda told: told.update(__shnitsel_meta="{}")}, "in another order"),
        ({"data": lambda data: data.pop("forces")}, "row 1 has no 'forces'"),
        ({"data": lambda data: data.update(energy=-1.0)}, r"shape \[\], expected \[1, state\]"),
        (
            {"data": lambda data: data.update(forces=data["forces"][:, :2])},
            r"shape \[12, 2, 3\], expected \[12, 3, 3\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, changes, message):
    with pytest.raises(DataError, match=message) as got:
        read_ase_db(change(BUTENE, **changes), Stated())
    assert "changed.db" in got.value.where


def test_a_label_that_only_some_rows_have_is_not_dropped(tmp_path):
    with ase.db.connect(BUTENE) as old, ase.db.connect(tmp_path / "some.db") as new:
        for row in old.select():
            data = {key: row.data[key] for key in row.data if key != "nacs" or row.id != 3}
            new.write(row.toatoms(), data=data)
        told = old.metadata
    new.metadata = told
    with pytest.raises(DataError, match="row 3 has no 'nacs'"):
        read_ase_db(tmp_path / "some.db", Stated())


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "cut.db"
    path.write_bytes(BUTENE.read_bytes()[:5000])
    with pytest.raises(DataError, match="ASE cannot read the database"):
        read_ase_db(path, Stated())


def test_every_property_comes_back_without_a_digit_lost(everything, tmp_path):
    warnings = []
    write_ase_db(everything, tmp_path / "all.db")
    back = read_ase_db(tmp_path / "all.db", Stated(warn=warnings.append))
    assert set(back) == set(PROPERTIES)
    for name in PROPERTIES:
        np.testing.assert_array_equal(back[name], everything[name])
    for field in ("level_of_theory", "states", "multiplicity", "title", "licence"):
        assert getattr(back, field) == getattr(everything, field)
    assert back.molecule.charge == 1
    assert not warnings, "our own files state everything"


def test_what_is_written_has_the_layout_of_the_real_file(tmp_path):
    write_ase_db(read_ase_db(BUTENE, Stated()), tmp_path / "ours.db")
    with ase.db.connect(BUTENE) as old, ase.db.connect(tmp_path / "ours.db") as new:
        assert len(new) == len(old)
        for theirs, ours in zip(old.select(), new.select(), strict=True):
            assert ours.data.keys() == theirs.data.keys() | {"group", "source"}
            for key, values in theirs.data.items():
                np.testing.assert_allclose(ours.data[key], values, atol=1e-12)
        for key in ("n_singlets", "n_triplets", "states", "_distance_unit", "ReferenceMethod"):
            assert new.metadata[key] == old.metadata[key]
        units = old.metadata["_property_unit_dict"]
        assert new.metadata["_property_unit_dict"].items() >= units.items()


def test_couplings_given_as_h_alone_come_back_as_h(make_labelled, tmp_path):
    dataset = make_labelled(4)
    h = dataset.interstate_coupling
    only_h = make_labelled(4, arrays={"nonadiabatic_coupling": None, "interstate_coupling": h})
    write_ase_db(only_h, tmp_path / "h.db")
    back = read_ase_db(tmp_path / "h.db", Stated())
    np.testing.assert_array_equal(back["interstate_coupling"], h)
    assert "nonadiabatic_coupling" not in back
    with ase.db.connect(tmp_path / "h.db") as database:
        nacs = np.swapaxes(database.get(1).data["nacs"], 0, 1)
    np.testing.assert_allclose(nacs, dataset["nonadiabatic_coupling"][0], rtol=1e-12)

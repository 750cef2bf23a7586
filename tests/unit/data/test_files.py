"""Files of the native and of the plain layout: round trips and every fault."""

import h5py
import numpy as np
import pytest

from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.errors import ConfigError, DataError
from namd.schema import PROPERTIES
from namd.units import FS_PER_ATOMIC_TIME

DOUBLE = {"positions", "energies", "time"}


def write_plain(path, dataset, leave_out=()):
    """Write the layout of the stilbene reference set with h5py alone."""
    table = {
        "positions": (dataset["positions"], "bohr"),
        "energies": (dataset["energies"], "hartree"),
        "forces": (dataset["forces"].astype("f4"), "hartree/bohr"),
        "nonadiabatic_coupling": (dataset["nonadiabatic_coupling"][:, 0].astype("f4"), "1/bohr"),
        "transition_dipole": (np.ones((len(dataset), 3), dtype="f4"), "e*bohr"),
        "time_fs": (dataset["time"] * FS_PER_ATOMIC_TIME, "fs"),
        "diabatic_eigenvectors": (np.zeros((len(dataset), 2, 2)), "1"),
        "group": (dataset["group"].astype(object), "1"),
        "source": (dataset["source"].astype(object), "1"),
        "atomic_numbers": (dataset.molecule.atomic_numbers, "1"),
    }
    with h5py.File(path, "w") as file:
        file.attrs["level_of_theory"] = dataset.level_of_theory
        file.attrs["states"] = "S0 S1"
        file.attrs["charge"] = 0
        for name, (values, unit) in table.items():
            if name not in leave_out:
                dtype = h5py.string_dtype() if values.dtype == object else None
                file.create_dataset(name, data=values, dtype=dtype).attrs["unit"] = unit
    return path


def test_native_round_trip_keeps_everything(make_dataset, tmp_path):
    dataset = make_dataset()
    write_dataset(dataset, tmp_path / "set.h5")
    again = read_dataset(tmp_path / "set.h5")
    assert set(again) == set(dataset)
    for name in dataset:
        assert again[name].dtype == dataset[name].dtype
        if dataset[name].dtype.kind == "U" or name in DOUBLE:
            np.testing.assert_array_equal(again[name], dataset[name])
        else:
            np.testing.assert_allclose(again[name], dataset[name], rtol=1e-7)
    for field in ("level_of_theory", "multiplicity", "title", "licence", "states"):
        assert getattr(again, field) == getattr(dataset, field)
    assert dict(again.provenance) == dict(dataset.provenance)
    np.testing.assert_array_equal(again.molecule.atomic_numbers, dataset.molecule.atomic_numbers)


def test_every_dataset_carries_its_unit(make_dataset, tmp_path):
    write_dataset(make_dataset(), tmp_path / "set.h5")
    with h5py.File(tmp_path / "set.h5") as file:
        for name in file:
            expected = PROPERTIES[name].unit if name in PROPERTIES else "1"
            assert file[name].attrs["unit"] == expected


def test_plain_layout_gains_its_pair_axis_and_atomic_time(make_dataset, tmp_path):
    dataset = make_dataset()
    plain = read_dataset(write_plain(tmp_path / "plain.h5", dataset))
    np.testing.assert_allclose(
        plain["nonadiabatic_coupling"], dataset["nonadiabatic_coupling"], rtol=1e-6
    )
    np.testing.assert_allclose(plain["time"], dataset["time"], rtol=1e-14)
    assert plain["transition_dipoles"].shape == (len(dataset), 1, 3)
    assert plain["forces"].dtype == np.float64


@pytest.mark.parametrize(
    "name", ["nonadiabatic_coupling", "transition_dipole", "time_fs", "group", "source"]
)
def test_optional_datasets_of_the_plain_layout_may_be_absent(make_dataset, tmp_path, name):
    dataset = read_dataset(write_plain(tmp_path / "p.h5", make_dataset(), leave_out=(name,)))
    assert len(dataset) == len(make_dataset())
    assert dataset.has_coupling == (name != "nonadiabatic_coupling")
    if name == "group":
        assert set(dataset["group"]) == {"ungrouped"}


@pytest.mark.parametrize("name", ["positions", "energies", "forces", "atomic_numbers"])
def test_missing_dataset_is_named(make_dataset, tmp_path, name):
    path = write_plain(tmp_path / "p.h5", make_dataset(), leave_out=(name,))
    with pytest.raises(DataError, match=f"'{name}' is missing") as caught:
        read_dataset(path)
    assert str(path) in caught.value.where
    write_dataset(make_dataset(), tmp_path / "n.h5")
    with h5py.File(tmp_path / "n.h5", "a") as file:
        del file[name]
    with pytest.raises(DataError, match=f"'{name}' is missing"):
        read_dataset(tmp_path / "n.h5")


def _damage_unit(file):
    file["positions"].attrs["unit"] = "angstrom"


def _damage_version(file):
    file.attrs["format_version"] = 99


def _damage_shape(file):
    values = file["forces"][:, :, :2]
    del file["forces"]
    file["forces"] = values


def _damage_states(file):
    file.attrs["states"] = "S0 S1 S2"


def _make_ensemble(file):
    file.attrs["format"] = "namd-ensemble"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_damage_unit, "'positions' is in angstrom, expected bohr"),
        (_damage_version, "version 99 is unknown"),
        (_damage_shape, r"'forces' has the shape \[40, 2, 2, 3\], expected"),
        (_damage_states, r"'energies' has the shape \[40, 2\], expected \[frame 40, state 3\]"),
        (_make_ensemble, "this is a namd-ensemble file, expected a namd-dataset"),
    ],
)
def test_damaged_native_file(make_dataset, tmp_path, damage, message):
    path = tmp_path / "set.h5"
    write_dataset(make_dataset(), path)
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(DataError, match=message) as caught:
        read_dataset(path)
    assert str(path) in caught.value.where


def test_foreign_hdf5_is_said_to_be_one(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["temperature"] = 300.0
    with pytest.raises(DataError, match=r"'atomic_numbers' is missing.*not a dataset") as caught:
        read_dataset(tmp_path / "other.h5")
    assert "temperature" in caught.value.hint


def test_existing_file_is_kept(make_dataset, tmp_path):
    path = tmp_path / "set.h5"
    write_dataset(make_dataset(), path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="not overwritten"):
        write_dataset(make_dataset(steps=3), path)
    assert path.read_bytes() == before
    write_dataset(make_dataset(steps=3), path, overwrite=True)
    assert len(read_dataset(path)) == 3 * 3 + 4

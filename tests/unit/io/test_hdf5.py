"""Atomic writing, units, and one clear error for each way a file can be wrong."""

import h5py
import numpy as np
import pytest

from namd.errors import ConfigError, DataError
from namd.io.hdf5 import (
    check_format,
    create_hdf5,
    open_hdf5,
    read_array,
    read_attribute,
    write_array,
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.h5"
    with create_hdf5(path) as file:
        file.attrs["format"] = "namd-test"
        file.attrs["format_version"] = 2
        write_array(file, "x", np.arange(3000.0).reshape(1000, 3), unit="bohr", dtype="float32")
        write_array(file, "name", np.array(["trans", "größer"]), unit="1")
        write_array(file, "one", np.array(1.5), unit="fs")
        write_array(file, "none", np.zeros((0, 3)), unit="bohr")
    return path


def test_arrays_come_back(path):
    with open_hdf5(path) as file:
        x = read_array(file, "x", unit="bohr")
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, np.arange(3000.0).reshape(1000, 3))
        assert read_array(file, "name").tolist() == ["trans", "größer"]
        assert read_array(file, "one") == 1.5
        assert read_array(file, "none").shape == (0, 3)
        assert file["x"].compression == "gzip"


def test_wrong_unit_and_missing_dataset(path):
    with open_hdf5(path) as file:
        with pytest.raises(DataError, match="'x' is in bohr, expected angstrom"):
            read_array(file, "x", unit="angstrom")
        with pytest.raises(DataError, match="'y' is missing") as caught:
            read_array(file, "y")
        assert "name" in caught.value.hint
        with pytest.raises(DataError, match="attribute 'title' is missing"):
            read_attribute(file, "title")


def test_format_and_version(path):
    with open_hdf5(path) as file:
        assert check_format(file, name="namd-test", version=3) == 2
        with pytest.raises(DataError, match="a namd-test file, expected a namd-dataset"):
            check_format(file, name="namd-dataset", version=1)
        with pytest.raises(DataError, match="version 2 is unknown; this namd reads 1 to 1"):
            check_format(file, name="namd-test", version=1)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
def test_truncated(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match="truncated") as caught, open_hdf5(path):
        pass
    assert str(path) in str(caught.value)


def test_flipped_bytes_are_noticed(path):
    with h5py.File(path) as file:
        start = file["x"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[start + 40 : start + 48] = b"\x00" * 8
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="damaged"), open_hdf5(path) as file:
        read_array(file, "x")


def test_what_is_no_hdf5(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("positions: 1 2 3")
    for name, message in {
        "empty": "is empty",
        "text": "not an HDF5 file",
        "absent": "no such file",
        ".": "this is a folder",
    }.items():
        with pytest.raises(DataError, match=message), open_hdf5(tmp_path / name):
            pass


def test_existing_file_is_replaced_only_when_told(path):
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="not overwritten"), create_hdf5(path):
        pass
    assert path.read_bytes() == before
    with create_hdf5(path, overwrite=True) as file:
        file["z"] = 1
    with open_hdf5(path) as file:
        assert list(file) == ["z"]


def test_failure_while_writing_leaves_the_old_file_and_nothing_else(path):
    before = path.read_bytes()

    def write_half():
        with create_hdf5(path, overwrite=True) as file:
            file["z"] = 1
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_half()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_full_disk_is_a_data_error(path, monkeypatch):
    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("namd.io.atomic.os.fsync", no_space)
    before = path.read_bytes()
    with pytest.raises(DataError, match="No space left"), create_hdf5(path, overwrite=True) as file:
        file["z"] = 1
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_folder_that_cannot_be_made(path):
    with pytest.raises(DataError, match="could not be written"), create_hdf5(path / "sub" / "x.h5"):
        pass


def test_what_lies_in_groups_is_told(tmp_path):
    with h5py.File(tmp_path / "minima.h5", "w") as file:
        file["trans/positions"], file["cis/positions"], file["note"] = [1.0], [2.0], [3.0]
        with pytest.raises(DataError, match="is missing") as caught:
            read_array(file, "positions")
    assert caught.value.hint == "cis and trans have one: name one of them (--name)"

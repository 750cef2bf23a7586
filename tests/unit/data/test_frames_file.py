"""Frames go to a file and come back."""

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest

from namd.data.frames import Frames, join_frames, read_frames
from namd.data.frames_file import Column, write_frames
from namd.errors import ConfigError, DataError
from namd.io.hdf5 import open_hdf5, read_array
from namd.molecule import Molecule

FRAMES = Frames(
    molecule=Molecule.from_numbers(np.array([7, 1, 1, 1, 1]), charge=1),
    positions=np.random.default_rng(0).normal(size=(3, 5, 3)),
    group=np.array(["a", "a", "b"]),
    source=np.array(["scan", "scan", "wigner"]),
    carried={"time": np.array([0.0, 1.0, np.nan])},
    provenance={"steps": [{"step": "scan", "left_out": 2}]},
)


@pytest.mark.parametrize("name", ["f.h5", "f.xyz"])
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / name
    write_frames(FRAMES, path)
    found = read_frames(path)
    np.testing.assert_allclose(found.positions, FRAMES.positions, atol=1e-7)
    assert found.molecule.charge == 1
    assert found.molecule.symbols == FRAMES.molecule.symbols
    assert found.group.tolist() == ["a", "a", "b"]
    assert found.source.tolist() == ["scan", "scan", "wigner"]
    if name == "f.h5":
        assert found.digest() == FRAMES.digest()
        assert found.provenance == FRAMES.provenance
        np.testing.assert_array_equal(found.carried["time"], FRAMES.carried["time"])


def test_nothing_is_replaced_unasked_and_no_other_kind_is_written(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    write_frames(FRAMES, path)
    with pytest.raises(ConfigError, match="exists"):
        write_frames(FRAMES, path)
    write_frames(FRAMES, path, overwrite=True)
    with pytest.raises(DataError, match="ending in one of"):
        write_frames(FRAMES, tmp_path / "f.csv")


@pytest.mark.parametrize("name", ["f.h5", "f.xyz"])
def test_columns_are_told_and_no_reader_minds_them(name: str, tmp_path: Path) -> None:
    reasons = np.array(["parked: broken molecule, force", "novel", "gap"])
    columns = {
        "reason": Column(values=reasons),
        "smallest_gap": Column(values=np.array([0.1, 0.2, 0.3]), unit="hartree"),
    }
    path = tmp_path / name
    write_frames(FRAMES, path, columns=columns)
    assert read_frames(path).group.tolist() == ["a", "a", "b"]
    if name == "f.h5":
        with open_hdf5(path) as file:
            assert read_array(file, "reason").tolist() == reasons.tolist()
            assert read_array(file, "smallest_gap", unit="hartree").tolist() == [0.1, 0.2, 0.3]
    else:
        assert [image.info["reason"] for image in ase.io.read(path, index=":")] == reasons.tolist()


def test_frames_are_joined(tmp_path: Path) -> None:
    timeless = replace(FRAMES, carried={})
    joined = join_frames([FRAMES, timeless])
    assert len(joined) == 6
    np.testing.assert_array_equal(joined.carried["time"], [0.0, 1.0, np.nan, *[np.nan] * 3])
    assert joined.provenance == {}
    assert join_frames([FRAMES]).provenance == FRAMES.provenance
    neutral = replace(FRAMES, molecule=Molecule.from_numbers(FRAMES.molecule.atomic_numbers))
    with pytest.raises(DataError, match="charge 0"):
        join_frames([FRAMES, neutral])

"""Frames from every kind of file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import ase.io
import h5py
import numpy as np
import pytest

from namd.data.frames import read_frames
from namd.data.native import write_dataset
from namd.data.plain import UNGROUPED
from namd.errors import DataError
from namd.io.samples import Samples, write_samples
from namd.molecule import Molecule
from namd.units import ANGSTROM_PER_BOHR

WATER = np.array([8, 1, 1])


def write_table(path: Path, positions: np.ndarray, **more: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["atomic_numbers"] = WATER
        file["positions"] = positions
        file["positions"].attrs["unit"] = "bohr"
        for name, values in more.items():
            file[name] = values
    return path


def positions(frames: int = 4) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((frames, 3, 3))


def test_a_table_of_geometries_alone_is_one_group(tmp_path: Path) -> None:
    places = positions()
    frames = read_frames(write_table(tmp_path / "table.h5", places))
    assert np.array_equal(frames.positions, places)
    assert frames.molecule.symbols == ("O", "H", "H")
    assert set(frames.group) == set(frames.source) == {UNGROUPED}


def test_group_source_and_time_go_with_the_frames(tmp_path: Path) -> None:
    names = ["a", "a", "b", "c"]
    path = write_table(tmp_path / "t.h5", positions(), group=names, source=["scan"] * 4)
    with h5py.File(path, "a") as file:
        file["time"] = np.arange(4.0)
        file["time"].attrs["unit"] = "hbar/hartree"
    frames = read_frames(path)
    assert frames.group.tolist() == names
    assert frames.source.tolist() == ["scan"] * 4
    assert frames.carried["time"].tolist() == [0, 1, 2, 3]


def test_a_labelled_dataset_gives_its_geometries(
    tmp_path: Path, make_labelled: Callable[..., Any]
) -> None:
    dataset = make_labelled(6, provenance={"steps": [{"step": "convert"}]})
    write_dataset(dataset, tmp_path / "d.h5")
    frames = read_frames(tmp_path / "d.h5")
    assert np.array_equal(frames.positions, dataset["positions"])
    assert frames.molecule.charge == 1
    assert frames.group.tolist() == dataset["group"].tolist()
    assert frames.provenance["steps"] == [{"step": "convert"}]


def test_samples_are_groups_of_their_own(tmp_path: Path) -> None:
    samples = Samples(
        molecule=Molecule.from_numbers(WATER),
        positions=positions(),
        velocities=positions(),
        method="wigner",
        seed=1,
    )
    write_samples(samples, tmp_path / "cis.h5")
    frames = read_frames(tmp_path / "cis.h5")
    assert frames.group.tolist() == [f"cis-{k:05d}" for k in range(4)]
    assert set(frames.source) == {"wigner"}
    assert np.array_equal(frames.carried["velocities"], samples.velocities)


def test_extended_xyz_is_in_angstrom_and_may_tell_groups(tmp_path: Path) -> None:
    places = positions()
    images = [ase.Atoms(WATER, place * ANGSTROM_PER_BOHR) for place in places]
    for image, name in zip(images, "aabb", strict=True):
        image.info["group"] = name
    ase.io.write(tmp_path / "scan.xyz", images, format="extxyz")
    frames = read_frames(tmp_path / "scan.xyz")
    assert np.abs(frames.positions - places).max() < 1e-7
    assert frames.group.tolist() == list("aabb")
    assert set(frames.source) == {UNGROUPED}


def test_the_digest_knows_geometries_and_groups(tmp_path: Path) -> None:
    places = positions()
    one = read_frames(write_table(tmp_path / "1.h5", places))
    assert one.digest() == read_frames(write_table(tmp_path / "2.h5", places)).digest()
    grouped = write_table(tmp_path / "3.h5", places, group=["a", "a", "b", "b"])
    moved = write_table(tmp_path / "4.h5", places + 1e-12)
    digests = {read_frames(path).digest() for path in (grouped, moved)}
    assert len(digests | {one.digest()}) == 3


def test_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    def refused(path: Path, what: str) -> None:
        with pytest.raises(DataError, match=what):
            read_frames(path)

    refused(tmp_path / "nowhere.h5", "cannot be read")
    bad = positions()
    bad[2, 0, 0] = np.nan
    refused(write_table(tmp_path / "nan.h5", bad), "frame 2 are not finite")
    refused(write_table(tmp_path / "empty.h5", np.zeros((0, 3, 3))), "at least one frame")
    refused(write_table(tmp_path / "atoms.h5", np.zeros((2, 4, 3))), r"\[2, 4, 3\]")
    refused(write_table(tmp_path / "group.h5", bad[:2], group=["a"]), "one text for each")
    (tmp_path / "junk.xyz").write_text("what is this\n")
    refused(tmp_path / "junk.xyz", "ASE cannot read")
    images = [ase.Atoms("OH"), ase.Atoms("HO")]
    ase.io.write(tmp_path / "two.xyz", images, format="extxyz")
    refused(tmp_path / "two.xyz", "frame 1 has other atoms")

"""Frames that may be worth a label: along trajectories, where these were parked, from any file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Int

from namd.data.frames import Frames, join_frames, read_frames
from namd.errors import DataError
from namd.io.ensemble import ACTIVE, FILE_NAME, FORMAT, Ensemble, read_ensemble
from namd.io.hdf5 import HDF5_SIGNATURE
from namd.io.parked import read_parked
from namd.molecule import Molecule

SOURCE = "trajectory"
"""Source of frames taken from an ensemble."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Geometries of one molecule to choose from.

    Parameters
    ----------
    frames
        All of them.
    parked
        Why a trajectory was parked with this frame, a key of :data:`namd.io.ensemble.REASONS`;
        0 for any other frame.
    """

    frames: Frames
    parked: Int[np.ndarray, " frame"]

    def __len__(self) -> int:
        return len(self.frames)


def read_candidates(paths: Sequence[Path], *, molecule: Molecule, every: int = 1) -> Candidates:
    """Read runs and files of frames, labelled or not.

    Parameters
    ----------
    paths
        Run folders, ensemble files, or anything that :func:`namd.data.frames.read_frames` reads.
    molecule
        What all must be of; it also gives the charge.
    every
        Of a run take every so many-th saved frame. Parked frames are always taken.

    Raises
    ------
    DataError
        If a file cannot be read, or is of another molecule.
    """
    parts = []
    for path, name in zip(paths, _names(paths), strict=True):
        if _is_ensemble(path):
            part = _from_ensemble(read_ensemble(path), molecule, name=name, every=every)
        else:
            frames = read_frames(path)
            part = Candidates(frames=frames, parked=np.zeros(len(frames), dtype=np.int64))
        found = part.frames.molecule.symbols
        if found != molecule.symbols:
            raise DataError(
                f"these are frames of {part.frames.molecule.formula}, or in another order of "
                f"atoms, the model is for {molecule.formula}",
                where=str(path),
                hint="give frames of the model's molecule with the atoms in its order",
            )
        parts.append(part)
    frames = join_frames([replace(part.frames, molecule=molecule) for part in parts])
    return Candidates(frames=frames, parked=np.concatenate([part.parked for part in parts]))


def _is_ensemble(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        with path.open("rb") as stream:
            if stream.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
                return False
        with h5py.File(path, "r") as file:
            return str(file.attrs.get("format", "")) == FORMAT
    except OSError:
        return False  # the reader of frames tells what is wrong with it


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names of runs: of their folders, with a number where two are called alike."""
    stems = [
        (path.resolve() if path.is_dir() else path.resolve().parent).name
        if path.is_dir() or path.name == FILE_NAME
        else path.stem
        for path in paths
    ]
    return [
        stem if stems.count(stem) == 1 else f"{stem}{stems[:k].count(stem)}"
        for k, stem in enumerate(stems)
    ]


def _from_ensemble(ensemble: Ensemble, molecule: Molecule, *, name: str, every: int) -> Candidates:
    """Frames of trajectories that move, and the one with which each parked one was parked."""
    if not np.array_equal(ensemble.atomic_numbers, molecule.atomic_numbers):
        raise DataError(
            "this ensemble is of another molecule, or has another order of atoms, than the model",
            where=str(ensemble.path),
        )
    parked = read_parked(ensemble.path)
    numbers = [parked.trajectory]
    times, positions, reasons = [parked.time], [parked.positions], [parked.reason]
    for frame in range(0, len(ensemble.time), every):
        moving = np.flatnonzero(ensemble.status[frame] == ACTIVE)
        numbers.append(ensemble.trajectory_id[moving])
        times.append(np.full(moving.size, ensemble.time[frame]))
        positions.append(ensemble.positions(frame)[moving])
        reasons.append(np.zeros(moving.size, dtype=np.int64))
    number, time, reason = (np.concatenate(each) for each in (numbers, times, reasons))
    place = np.concatenate(positions)
    # Neighbours of a trajectory follow each other; a parked frame comes behind all others.
    order = np.lexsort((reason > 0, time, number))
    order = order[np.isfinite(place[order]).all(axis=(1, 2))]
    if not order.size:
        raise DataError("the ensemble holds no usable frame", where=str(ensemble.path))
    frames = Frames(
        molecule=molecule,
        positions=place[order],
        group=np.array([f"{name}-{each:05d}" for each in number[order]]),
        source=np.full(order.size, SOURCE),
        carried={"time": time[order]},
        provenance={"steps": [{"step": "trajectories", "potential": ensemble.potential}]},
    )
    return Candidates(frames=frames, parked=reason[order])

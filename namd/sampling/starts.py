"""Geometries that a search or a scan starts from."""

from pathlib import Path

import numpy as np

from namd.data.frames import Frames, read_frames
from namd.data.plain import UNGROUPED
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.sampling.geometry import check_distances, read_geometry


def read_starts(path: Path, *, name: str | None) -> Frames:
    """Read a file of frames, or one geometry in a group of an HDF5 file.

    Parameters
    ----------
    path
        Anything :func:`~namd.data.frames.read_frames` takes.
    name
        Group inside an HDF5 file with one geometry, e.g. ``cis``.

    Raises
    ------
    DataError
        If there is no geometry.
    """
    if name is None:
        frames = read_frames(path)
    else:
        geometry = read_geometry(path, name=name)
        frames = Frames(
            molecule=Molecule.from_numbers(geometry.atomic_numbers, charge=geometry.charge),
            positions=geometry.positions[None],
            group=np.array([UNGROUPED]),
            source=np.array([UNGROUPED]),
        )
    return frames


def chosen_starts(frames: Frames, numbers: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Frames by their number, all of them if none is named.

    Raises
    ------
    ConfigError
        If there is no such frame.
    DataError
        If two atoms of one lie on top of each other.
    """
    missing = [k for k in numbers if not 0 <= k < len(frames)]
    if missing:
        raise ConfigError(
            f"there is no frame {missing[0]}",
            where="--frame",
            hint=f"the file has {len(frames)}, numbered from 0",
        )
    chosen = {k: frames.positions[k] for k in numbers or range(len(frames))}
    for k, positions in chosen.items():
        check_distances(positions[None], frames.molecule, where=f"frame {k}")
    return chosen


def one_start(frames: Frames, number: int | None) -> np.ndarray:
    """The one frame of a file, or the one that is named.

    Raises
    ------
    ConfigError
        If there are several and none is named, or there is no such frame.
    DataError
        If two atoms of it lie on top of each other.
    """
    if number is None and len(frames) > 1:
        raise ConfigError(
            f"the file has {len(frames)} frames",
            where="--frame",
            hint="say which one, numbered from 0",
        )
    (start,) = chosen_starts(frames, (number or 0,)).values()
    return start

"""Frames to be labelled: geometries of one molecule, from any file that has some.

==========================================  ========================================================
an HDF5 file with ``atomic_numbers`` and    datasets with or without labels, what ``namd sample``
``positions [frame, atom, 3]``              wrote, plain tables, and one geometry; in Bohr
a run, its folder or ``ensemble.h5``        the frames at which trajectories were parked
any geometry file that ASE reads            XYZ, extended XYZ, trajectories; by its suffix, in Å
==========================================  ========================================================

Group and source are taken over where the file has them. Samples and parked frames are groups of
their own; other frames without a group make one group, so that no split cuts what may be a
trajectory.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from namd.data.native import read_integer, read_molecule
from namd.data.plain import UNGROUPED
from namd.errors import DataError
from namd.io.ensemble import FORMAT as ENSEMBLE
from namd.io.ensemble import locate_ensemble
from namd.io.geometry_file import read_atoms
from namd.io.hdf5 import HDF5_SIGNATURE, open_hdf5, read_array
from namd.io.parked import parked_of
from namd.io.samples import FORMAT as SAMPLES
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.units import ANGSTROM_PER_BOHR

CARRIED = ("velocities", "time")
"""What belongs to a frame whatever method labels it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Geometries of one molecule.

    Parameters
    ----------
    molecule
        The atoms.
    positions
        Bohr.
    group, source
        Of every frame, as in a :class:`~namd.data.dataset.Dataset`.
    carried
        Other arrays that go with the frames, of :data:`CARRIED`.
    provenance
        Where they come from.
    """

    molecule: Molecule
    positions: Float[np.ndarray, "frame atom 3"]
    group: np.ndarray
    source: np.ndarray
    carried: Mapping[str, np.ndarray] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)

    def select(self, rows: Int[np.ndarray, " chosen"]) -> "Frames":
        """Take frames by number, in the order given."""
        return replace(
            self,
            positions=self.positions[rows],
            group=self.group[rows],
            source=self.source[rows],
            carried={name: values[rows] for name, values in self.carried.items()},
        )

    def digest(self) -> str:
        """SHA-256 of atoms, positions and groups: what labels depend on."""
        numbers = self.molecule.atomic_numbers
        parts = [numbers.tobytes(), str(self.molecule.charge).encode(), self.positions.tobytes()]
        parts += ["\n".join(self.group.tolist()).encode()]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def join_frames(parts: Sequence[Frames]) -> Frames:
    """Put frames of one molecule one after the other.

    Parameters
    ----------
    parts
        At least one. What is carried by some only is unknown (NaN) in the others; the provenance is
        kept where there is one part.

    Raises
    ------
    DataError
        If the atoms or the charge differ.
    """
    first = parts[0]
    for number, other in enumerate(parts[1:], start=2):
        ours, theirs = first.molecule, other.molecule
        if (ours.symbols, ours.charge) != (theirs.symbols, theirs.charge):
            raise DataError(
                f"these are frames of {theirs.formula} with charge {theirs.charge}, the first ones "
                f"of {ours.formula} with charge {ours.charge}, or in another order of atoms",
                where=f"frames {number}",
                hint="join only frames of one molecule",
            )

    def carried(name: str) -> np.ndarray:
        shape = next(part.carried[name].shape[1:] for part in parts if name in part.carried)
        unknown = (np.full((len(part), *shape), np.nan) for part in parts)
        return np.concatenate(
            [part.carried.get(name, nan) for part, nan in zip(parts, unknown, strict=True)]
        )

    return replace(
        first,
        positions=np.concatenate([part.positions for part in parts]),
        group=np.concatenate([part.group for part in parts]),
        source=np.concatenate([part.source for part in parts]),
        carried={name: carried(name) for name in CARRIED if any(name in p.carried for p in parts)},
        provenance=first.provenance if len(parts) == 1 else {},
    )


def read_frames(path: Path) -> Frames:
    """Read geometries.

    Parameters
    ----------
    path
        HDF5, any geometry file that ASE reads, or a run folder.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, holds several molecules, or positions that are no
        numbers; if no trajectory of a run is parked.
    """
    run = (path if path.is_dir() else path.parent).resolve().name
    if path.is_dir():
        path = locate_ensemble(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(len(HDF5_SIGNATURE))
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="check the path"
        ) from error
    if head == HDF5_SIGNATURE:
        with open_hdf5(path) as file:
            ensemble = str(file.attrs.get("format", "")) == ENSEMBLE
            frames = _from_ensemble(file, run=run) if ensemble else _from_hdf5(file, stem=path.stem)
    else:
        frames = _from_geometry_file(path)
    shape = frames.positions.shape
    if len(shape) != 3 or shape[1:] != (len(frames.molecule), 3) or not shape[0]:
        raise DataError(
            f"'positions' has the shape {list(shape)}, expected [frame, atom "
            f"{len(frames.molecule)}, xyz 3] with at least one frame",
            where=str(path),
        )
    if bad := np.flatnonzero(~np.isfinite(frames.positions).all(axis=(1, 2))).tolist():
        raise DataError(
            f"the positions of frame {bad[0]} are not finite",
            where=str(path),
            hint="remove such frames" if len(bad) == 1 else f"{len(bad)} frames are so",
        )
    return frames


def _from_hdf5(file: h5py.File, *, stem: str) -> Frames:
    positions = read_array(file, "positions", unit="bohr").astype(np.float64)
    if positions.ndim == 2:  # one geometry, as `namd sample hessian` writes it
        positions = positions[None]
    count = len(positions)
    sampled = str(file.attrs.get("format", "")) == SAMPLES
    if sampled:
        group = np.array([f"{stem}-{k:05d}" for k in range(count)])
        source = np.full(count, str(file.attrs.get("method", "sample")))
    else:
        group = source = np.full(count, UNGROUPED)
    found = {name: read_array(file, name) for name in ("group", "source") if name in file}
    carried = {
        name: read_array(file, name, unit=PROPERTIES[name].unit).astype(np.float64)
        for name in CARRIED
        if name in file
    }
    provenance = json.loads(str(file.attrs.get("provenance", "{}")))
    return Frames(
        molecule=read_molecule(file),
        positions=positions,
        group=_texts(found.get("group", group), count, name="group"),
        source=_texts(found.get("source", source), count, name="source"),
        carried={name: values for name, values in carried.items() if len(values) == count},
        provenance=provenance if isinstance(provenance, dict) else {},
    )


def _from_ensemble(file: h5py.File, *, run: str) -> Frames:
    """Where trajectories were parked; a geometry that is no number is not worth a label."""
    parked = parked_of(file)
    sound = np.isfinite(parked.positions).all(axis=(1, 2))
    if not sound.any():
        raise DataError(
            "no trajectory of this run is parked, there is nothing to label",
            where=str(file.filename),
            hint="give any file of geometries, or run with limits in guards.uncertainty",
        )
    carried = {"time": parked.time[sound]}
    if parked.velocities is not None:
        carried["velocities"] = parked.velocities[sound]
    reasons = np.array([f"parked: {name}" for name in parked.reason_names()])
    return Frames(
        molecule=Molecule(
            atomic_numbers=read_array(file, "atomic_numbers").astype(np.int64),
            masses=read_array(file, "masses").astype(np.float64),
            charge=read_integer(file, "charge", default=0),
        ),
        positions=parked.positions[sound],
        group=np.array([f"{run}-{number:05d}" for number in parked.trajectory[sound]]),
        source=reasons[sound],
        carried=carried,
        provenance={"run": run, "potential": json.loads(str(file.attrs.get("potential", "{}")))},
    )


def _from_geometry_file(path: Path) -> Frames:
    images = read_atoms(path, index=":")
    if not images:
        raise DataError("there is no geometry in it", where=str(path))
    numbers = images[0].numbers
    for number, image in enumerate(images):
        if not np.array_equal(image.numbers, numbers):
            raise DataError(
                f"frame {number} has other atoms, or in another order, than the first",
                where=str(path),
                hint="label the frames of one molecule at a time",
            )
    positions = np.stack([image.positions for image in images]) / ANGSTROM_PER_BOHR
    charge = images[0].info.get("charge", 0)
    return Frames(
        molecule=Molecule.from_numbers(numbers.astype(np.int64), charge=int(charge)),
        positions=positions,
        group=np.array([str(image.info.get("group", UNGROUPED)) for image in images]),
        source=np.array([str(image.info.get("source", UNGROUPED)) for image in images]),
    )


def _texts(values: np.ndarray, count: int, *, name: str) -> np.ndarray:
    if values.shape != (count,):
        raise DataError(
            f"'{name}' has the shape {list(values.shape)}, expected one text for each of the "
            f"{count} frames"
        )
    return values.astype(np.str_)

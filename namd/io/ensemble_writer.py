"""Write an ensemble while it runs: a header first, then blocks, each a file of its own.

An HDF5 file that is open when its process is killed may be unreadable as a whole, so none is kept
open. Every block is built in memory and put on the disk in one atomic step: after a kill or on a
full disk the blocks written so far are all good. :mod:`namd.io.ensemble_parts` joins them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from namd.io.atomic import write_bytes
from namd.io.run_folder import RunFolder
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.states import StateSpace

FRAME_DTYPES: dict[str, str] = {
    "step": "int64",
    "time": "float64",
    "positions": "float32",
    "velocities": "float32",
    "energies": "float64",
    "amplitudes": "complex64",
    "active_state": "int8",
    "status": "int8",
    "kinetic_energy": "float64",
    "total_energy": "float64",
}
HOP_DTYPES: dict[str, str] = {
    "trajectory": "int64",
    "step": "int64",
    "time": "float64",
    "from_state": "int8",
    "to_state": "int8",
    "accepted": "int8",
    "gap": "float64",
    "kinetic_energy": "float64",
    "positions": "float32",
}
FINAL_DTYPES: dict[str, str] = {"status": "int8", "reason": "int8", "step": "int64"}
DTYPES = {"frames": FRAME_DTYPES, "hops": HOP_DTYPES, "final": FINAL_DTYPES}


@dataclass(frozen=True, eq=False, kw_only=True)
class Header:
    """What a run is and where its trajectories start.

    Parameters
    ----------
    config
        Resolved configuration.
    molecule, states
        Of the potential.
    potential
        Its own description, with a digest.
    decoherence
        Method with constant and convention.
    timestep
        Atomic units of time.
    seed
        Of every random number.
    versions, hardware
        What made the numbers.
    trajectory_id, positions, velocities, active_state
        Initial conditions, atomic units.
    """

    config: dict[str, Any]
    molecule: Molecule
    states: StateSpace
    potential: dict[str, str]
    decoherence: str
    timestep: float
    seed: int
    versions: dict[str, str]
    hardware: dict[str, str]
    trajectory_id: Int[np.ndarray, " traj"]
    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    active_state: Int[np.ndarray, " traj"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Block:
    """Frames and hops of a stretch of time, and how the trajectories stand at its end.

    Parameters
    ----------
    frames
        Names of :data:`FRAME_DTYPES` → arrays with a leading ``frame`` axis.
    hops
        Names of :data:`HOP_DTYPES` → columns.
    final
        Names of :data:`FINAL_DTYPES` → one value per trajectory.
    """

    frames: Mapping[str, np.ndarray]
    hops: Mapping[str, np.ndarray]
    final: Mapping[str, np.ndarray]


def write_start(folder: RunFolder, header: Header) -> None:
    """Write the header of a new run; from then on the run can be resumed.

    Raises
    ------
    OSError
        If the disk is full; nothing is left behind then.
    """

    def fill(file: h5py.File) -> None:
        file.attrs["format"] = "namd-ensemble"
        file.attrs["format_version"] = "1"
        file.attrs["states"] = " ".join(header.states.labels)
        file.attrs["seed"] = str(header.seed)
        file.attrs["timestep"] = header.timestep
        file.attrs["decoherence"] = header.decoherence
        for name in ("config", "potential", "versions", "hardware"):
            file.attrs[name] = json.dumps(getattr(header, name), ensure_ascii=False)
        _put(file, "atomic_numbers", header.molecule.atomic_numbers, unit="1")
        _put(file, "masses", header.molecule.masses, unit="electron_mass")
        _put(file, "trajectory_id", header.trajectory_id, unit="1")
        for name in ("positions", "velocities", "active_state"):
            unit = PROPERTIES[name].unit
            _put(file, f"initial/{name}", getattr(header, name), unit=unit)

    write_bytes(folder.start, hdf5_image(fill))


def write_part(folder: RunFolder, number: int, block: Block) -> str:
    """Write one block and return the SHA-256 of its file.

    Raises
    ------
    OSError
        If the disk is full; nothing is left behind then.
    """

    def fill(file: h5py.File) -> None:
        for group, columns in (
            ("frames", block.frames),
            ("hops", block.hops),
            ("final", block.final),
        ):
            for name, values in columns.items():
                stored = values.astype(DTYPES[group][name])
                _put(file, f"{group}/{name}", stored, unit=unit_of(name))

    image = hdf5_image(fill)
    write_bytes(folder.part(number), image)
    return hashlib.sha256(image).hexdigest()


def unit_of(name: str) -> str:
    """Tell the unit of a column of frames, hops or final; counters and flags have none."""
    if name == "gap":
        return PROPERTIES["energies"].unit
    return PROPERTIES[name].unit if name in PROPERTIES else "1"


def hdf5_image(fill: Callable[[h5py.File], None]) -> bytes:
    """Build an HDF5 file in memory and return its bytes."""
    with h5py.File("image", "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        return bytes(file.id.get_file_image())


def _put(file: h5py.File, name: str, values: np.ndarray, *, unit: str) -> None:
    file.create_dataset(name, data=values).attrs["unit"] = unit

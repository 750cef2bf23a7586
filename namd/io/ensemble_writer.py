"""Write the frames and hops of a running ensemble: blocks, each a file of its own.

An HDF5 file that is open when its process is killed may be unreadable as a whole, so none is kept
open. Every block is built in memory and put on the disk in one atomic step: after a kill or on a
full disk the blocks written so far are all good. :mod:`namd.io.ensemble_parts` joins them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import h5py
import numpy as np

from namd.io.atomic import write_bytes
from namd.io.hdf5_image import hdf5_image, put
from namd.io.run_folder import RunFolder
from namd.schema import PROPERTIES

FRAME_DTYPES: dict[str, str] = {
    "step": "int64",
    "time": "float64",
    "positions": "float32",
    "velocities": "float32",
    "energies": "float64",
    "energy_deviation": "float32",
    "gap_deviation": "float32",
    "force_deviation": "float32",
    "coupling_deviation": "float32",
    "amplitudes": "complex64",
    "diabatic_populations": "float32",
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
PARKED_DTYPES: dict[str, str] = {
    "trajectory": "int64",
    "reason": "int8",
    "step": "int64",
    "time": "float64",
    "active_state": "int8",
    "positions": "float64",
    "velocities": "float64",
    "energies": "float64",
    "energy_deviation": "float64",
    "gap_deviation": "float64",
    "force_deviation": "float64",
    "coupling_deviation": "float64",
}
DTYPES = {
    "frames": FRAME_DTYPES,
    "hops": HOP_DTYPES,
    "final": FINAL_DTYPES,
    "parked": PARKED_DTYPES,
}


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
    parked
        Names of :data:`PARKED_DTYPES` → one row per trajectory that is parked by then.
    """

    frames: Mapping[str, np.ndarray]
    hops: Mapping[str, np.ndarray]
    final: Mapping[str, np.ndarray]
    parked: Mapping[str, np.ndarray] = field(default_factory=dict)


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
            ("parked", block.parked),
        ):
            for name, values in columns.items():
                stored = values.astype(DTYPES[group][name])
                put(file, f"{group}/{name}", stored, unit=unit_of(name))

    image = hdf5_image(fill)
    write_bytes(folder.part(number), image)
    return hashlib.sha256(image).hexdigest()


def unit_of(name: str) -> str:
    """Tell the unit of a column of frames, hops or final; counters and flags have none."""
    if name in ("gap", "energy_deviation", "gap_deviation"):
        return PROPERTIES["energies"].unit
    if name in ("force_deviation", "coupling_deviation"):
        return PROPERTIES["forces"].unit
    return PROPERTIES[name].unit if name in PROPERTIES else "1"

"""Where the trajectories of an ensemble were parked: how many, when, in which state, how far off.

These are the frames worth labelling; :func:`namd.data.frames.read_frames` reads them as such.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float, Int

from namd.errors import DataError
from namd.io.ensemble import FORMAT, FORMAT_VERSION, PARKED, REASONS, locate_ensemble
from namd.io.hdf5 import check_format, open_hdf5, read_array
from namd.schema import PROPERTIES

_DEVIATIONS = ("energy_deviation", "gap_deviation", "force_deviation", "coupling_deviation")


@dataclass(frozen=True, kw_only=True, eq=False)
class Parked:
    """The parked trajectories of an ensemble, atomic units; one row each.

    Parameters
    ----------
    trajectory
        Number in the run.
    reason
        Key of :data:`namd.io.ensemble.REASONS`.
    step, time
        Steps it has made, and their time, hbar/Hartree.
    active_state
        State it was in.
    positions
        Bohr. Outside the trust region these are the geometry that was not trusted, else the last
        sound one.
    velocities
        Bohr per atomic unit of time; None where an older file has none.
    energies
        Of all states there, Hartree.
    energy_deviation, gap_deviation
        Expected errors of the energies and of the gaps of all pairs, Hartree; these and the next
        are None where the potential said nothing.
    force_deviation
        Of the active force, at the atom where it is largest, Hartree/Bohr.
    coupling_deviation
        The same of all couplings.
    """

    trajectory: Int[np.ndarray, " row"]
    reason: Int[np.ndarray, " row"]
    step: Int[np.ndarray, " row"]
    time: Float[np.ndarray, " row"]
    active_state: Int[np.ndarray, " row"]
    positions: Float[np.ndarray, "row atom 3"]
    velocities: Float[np.ndarray, "row atom 3"] | None
    energies: Float[np.ndarray, "row state"]
    energy_deviation: Float[np.ndarray, "row state"] | None = None
    gap_deviation: Float[np.ndarray, "row pair"] | None = None
    force_deviation: Float[np.ndarray, " row"] | None = None
    coupling_deviation: Float[np.ndarray, "row pair"] | None = None

    def __len__(self) -> int:
        return len(self.trajectory)

    def reason_names(self) -> list[str]:
        """Why each was parked, in words."""
        known = (REASONS.get(code) for code in self.reason.tolist())
        return ["unknown" if reason is None else reason.name for reason in known]


def read_parked(run_or_file: Path) -> Parked:
    """Read the parked trajectories of a run: finished, still running, or stopped half-way.

    Parameters
    ----------
    run_or_file
        Run folder or ensemble file. Files made before there was a record of them give their last
        saved frame, rounded as that is.

    Raises
    ------
    DataError
        If it cannot be read or holds no frame yet.
    """
    path = locate_ensemble(run_or_file)
    with open_hdf5(path) as file:
        check_format(file, name=FORMAT, version=FORMAT_VERSION)
        return parked_of(file)


def parked_of(file: h5py.File) -> Parked:
    """Read the parked trajectories of an open ensemble file."""
    if "parked" not in file:
        return _of_last_frame(file)
    group = file["parked"]
    found = {name: read_array(group, name) for name in group}
    known = {name: found[name].astype(np.float64) for name in _DEVIATIONS if name in found}
    return Parked(
        **{name: found[name].astype(np.int64) for name in ("trajectory", "reason", "step")},
        time=read_array(group, "time", unit=PROPERTIES["time"].unit),
        active_state=found["active_state"].astype(np.int64),
        positions=read_array(group, "positions", unit=PROPERTIES["positions"].unit),
        velocities=read_array(group, "velocities", unit=PROPERTIES["velocities"].unit),
        energies=read_array(group, "energies", unit=PROPERTIES["energies"].unit),
        **known,
    )


def _of_last_frame(file: h5py.File) -> Parked:
    rows = np.flatnonzero(read_array(file, "final/status") == PARKED)
    frames = file["frames"]
    if not len(frames["time"]):
        raise DataError("the ensemble holds no saved frame yet", where=str(file.filename))

    def last(name: str) -> np.ndarray:
        return np.asarray(frames[name][-1])[rows]

    steps, times = read_array(file, "frames/step"), read_array(file, "frames/time")
    step = read_array(file, "final/step")[rows].astype(np.int64)
    return Parked(
        trajectory=read_array(file, "trajectory_id")[rows].astype(np.int64),
        reason=read_array(file, "final/reason")[rows].astype(np.int64),
        step=step,
        time=step * (times[-1] / steps[-1] if steps[-1] else 0.0),
        active_state=last("active_state").astype(np.int64),
        positions=last("positions").astype(np.float64),
        velocities=last("velocities").astype(np.float64) if "velocities" in frames else None,
        energies=last("energies").astype(np.float64),
    )

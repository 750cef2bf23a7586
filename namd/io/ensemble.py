"""Read a surface-hopping ensemble: finished, still running, or stopped half-way.

:func:`read_ensemble` reads everything small (times, states, energies, hops) at once; positions and
velocities stay in the file until :meth:`Ensemble.positions` asks for one frame. The layout is in
ARCHITECTURE.md. No torch here: analysis must start at once.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from namd.errors import DataError
from namd.io.ensemble_parts import has_parts, snapshot
from namd.io.hdf5 import check_format, open_hdf5, read_array, read_attribute
from namd.states import StateSpace

FORMAT = "namd-ensemble"
FORMAT_VERSION = 1
FILE_NAME = "ensemble.h5"

ACTIVE, FINISHED, PARKED = 0, 1, 2
STATUS: dict[int, str] = {ACTIVE: "active", FINISHED: "finished", PARKED: "parked"}

# Name → dtype in memory, unit on disk, whether there is a state axis after [frame, traj].
_FRAME_ARRAYS: dict[str, tuple[type, str, bool]] = {
    "active_state": (np.int64, "1", False),
    "status": (np.int64, "1", False),
    "amplitudes": (np.complex128, "1", True),
    "energies": (np.float64, "hartree", True),
    "total_energy": (np.float64, "hartree", False),
}
_HOP_COLUMNS: dict[str, tuple[type, str]] = {
    "trajectory": (np.int64, "1"),
    "time": (np.float64, "hbar/hartree"),
    "from_state": (np.int64, "1"),
    "to_state": (np.int64, "1"),
    "accepted": (np.bool_, "1"),
    "gap": (np.float64, "hartree"),
    "kinetic_energy": (np.float64, "hartree"),
}


class ParkingReason(NamedTuple):
    """Why a guard stopped a trajectory."""

    name: str
    sentence: str
    remedy: str


REASONS: dict[int, ParkingReason] = {
    0: ParkingReason("none", "The trajectory was not parked.", ""),
    1: ParkingReason(
        "energy jump",
        "The total energy jumped or drifted by more than the allowed amount.",
        "shorten dynamics.timestep_fs, or label frames near this geometry and train again",
    ),
    2: ParkingReason(
        "not a number",
        "An energy, force or velocity was infinite or not a number.",
        "look at the last good frame: the potential was probably asked far from its data",
    ),
    3: ParkingReason(
        "broken molecule",
        "A bond was stretched or two atoms came closer than the allowed limits.",
        "label frames like the last one and train again, or widen the limits if it is chemistry",
    ),
    4: ParkingReason(
        "outside the trust region",
        "The model's own estimate of its error exceeded the limit.",
        "label the parked geometry and train again",
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Hops:
    """Every attempted hop of an ensemble, in the order of the file.

    Parameters
    ----------
    trajectory
        Row of the trajectory on every ``traj`` axis.
    time
        Time of the hop, hbar/Hartree.
    from_state, to_state
        State before, state asked for.
    accepted
        False for a frustrated hop (not enough kinetic energy along the coupling).
    gap
        Absolute difference of the two energies at the hop, Hartree.
    kinetic_energy
        Nuclear kinetic energy before the hop, Hartree.
    """

    trajectory: Int[np.ndarray, " hop"]
    time: Float[np.ndarray, " hop"]
    from_state: Int[np.ndarray, " hop"]
    to_state: Int[np.ndarray, " hop"]
    accepted: Bool[np.ndarray, " hop"]
    gap: Float[np.ndarray, " hop"]
    kinetic_energy: Float[np.ndarray, " hop"]

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, eq=False, kw_only=True)
class Ensemble:
    """An ensemble as read from its file; atomic units.

    Parameters
    ----------
    path
        The HDF5 file.
    states
        Labels of the electronic states.
    atomic_numbers
        One per atom; 0 for a model particle.
    config
        The resolved run configuration.
    potential
        What the run said about its electronic structure: name, digest, …
    decoherence
        Decoherence correction with its constants and convention.
    timestep
        hbar/Hartree.
    time
        Time of every saved frame, hbar/Hartree.
    active_state, status
        Per frame and trajectory; ``status`` is a key of :data:`STATUS`.
    amplitudes
        Electronic amplitudes c_k.
    energies
        Adiabatic energies E_k, Hartree.
    total_energy
        Kinetic plus active-state energy, Hartree.
    final_status, final_reason, final_step
        How each trajectory ended: keys of :data:`STATUS` and :data:`REASONS`, last step made.
    hops
        All hops, attempted and accepted.
    trajectory_id
        Number of each trajectory in the run.
    timestep_check
        What the fastest vibration said about the time step before the run; empty if nothing.
    diabatic_populations
        Per frame and trajectory, of density-matrix type (:mod:`namd.dynamics.diabatic`): only means
        over trajectories are populations. None where the potential has no diabatic basis.
    """

    path: Path
    states: StateSpace
    atomic_numbers: Int[np.ndarray, " atom"]
    config: dict[str, Any]
    potential: dict[str, Any]
    decoherence: str
    timestep: float
    time: Float[np.ndarray, " frame"]
    active_state: Int[np.ndarray, "frame traj"]
    status: Int[np.ndarray, "frame traj"]
    amplitudes: Complex[np.ndarray, "frame traj state"]
    energies: Float[np.ndarray, "frame traj state"]
    total_energy: Float[np.ndarray, "frame traj"]
    final_status: Int[np.ndarray, " traj"]
    final_reason: Int[np.ndarray, " traj"]
    final_step: Int[np.ndarray, " traj"]
    hops: Hops
    trajectory_id: Int[np.ndarray, " traj"]
    timestep_check: str = ""
    diabatic_populations: Float[np.ndarray, "frame traj diabat"] | None = None

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories, however they ended."""
        return len(self.trajectory_id)

    def positions(self, frame: int = -1) -> Float[np.ndarray, "traj atom 3"]:
        """Positions of all trajectories in one frame (negative: from the end), Bohr.

        Raises
        ------
        DataError
            If the file has gone, is damaged, or has no such frame.
        """
        n_frames = len(self.time)
        if not -n_frames <= frame < n_frames:
            raise DataError(
                f"frame {frame} does not exist; there are {n_frames}", where=str(self.path)
            )
        with open_hdf5(self.path) as file:
            return np.asarray(file["frames/positions"][frame % n_frames], dtype=np.float64)

    def hop_positions(self) -> Float[np.ndarray, "hop atom 3"]:
        """Positions at every attempted hop, Bohr, in the order of :attr:`hops`.

        Raises
        ------
        DataError
            If the file has gone, is damaged, or has no such positions.
        """
        with open_hdf5(self.path) as file:
            positions = read_array(_group(file, "hops"), "positions", unit="bohr")
        shape = (len(self.hops), len(self.atomic_numbers), 3)
        _expect(positions, shape, "hops/positions", self.path)
        return positions.astype(np.float64)


def read_ensemble(run_or_file: Path | str) -> Ensemble:
    """Read an ensemble from a run folder or from its HDF5 file.

    Parameters
    ----------
    run_or_file
        A folder holding ``ensemble.h5``, or such a file under any name.

    Raises
    ------
    DataError
        If it is missing, damaged, of another format, inconsistent, or holds no frame yet.
    """
    path = locate_ensemble(Path(run_or_file))
    with open_hdf5(path) as file:
        check_format(file, name=FORMAT, version=FORMAT_VERSION)
        return _read(file, path)


def is_parked(ensemble: Ensemble) -> Bool[np.ndarray, " traj"]:
    """Whether each trajectory ended parked, by its final record or by the last saved frame."""
    return np.asarray((ensemble.final_status == PARKED) | (ensemble.status[-1] == PARKED))


def parking_reasons(ensemble: Ensemble) -> dict[str, int]:
    """How many trajectories were parked, by the name of the reason; most frequent first."""
    codes, counts = np.unique(ensemble.final_reason[is_parked(ensemble)], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {_reason_name(int(codes[k])): int(counts[k]) for k in order}


def _reason_name(code: int) -> str:
    return REASONS[code].name if code in REASONS and code != 0 else "reason not recorded"


def locate_ensemble(path: Path) -> Path:
    """File of an ensemble: of a run folder, also one that still runs, or the file itself.

    Raises
    ------
    DataError
        If the folder holds none.
    """
    if not path.is_dir():
        return path
    if not (path / FILE_NAME).is_file() and has_parts(path):
        return snapshot(path)
    if not (path / FILE_NAME).is_file():
        raise DataError(
            f"this folder holds no {FILE_NAME}",
            where=str(path),
            hint="give the folder made by `namd run surface-hopping`, or an ensemble file",
        )
    return path / FILE_NAME


def _read(file: h5py.File, path: Path) -> Ensemble:
    frames, final = _group(file, "frames"), _group(file, "final")
    states = StateSpace(tuple(read_attribute(file, "states").split()))
    identity = read_array(file, "trajectory_id").astype(np.int64)
    time = read_array(frames, "time", unit="hbar/hartree").astype(np.float64)
    arrays: dict[str, np.ndarray] = {
        name: read_array(frames, name, unit=unit).astype(dtype)
        for name, (dtype, unit, _) in _FRAME_ARRAYS.items()
    }
    ends = {name: read_array(final, name).astype(np.int64) for name in ("status", "reason", "step")}
    if "positions" not in frames:
        raise DataError("dataset 'frames/positions' is missing", where=str(path))
    # A block of a running file may have reached some datasets and not yet the others.
    whole = min(len(time), len(frames["positions"]), *(len(a) for a in arrays.values()))
    time, arrays = time[:whole], {name: array[:whole] for name, array in arrays.items()}
    if not whole or not len(identity):
        raise DataError(
            "the ensemble holds no saved frame yet",
            where=str(path),
            hint="wait for the run's first block, or continue it with --resume",
        )
    rows = (whole, len(identity))
    for name, array in arrays.items():
        with_states = (len(states),) if _FRAME_ARRAYS[name][2] else ()
        _expect(array, rows + with_states, f"frames/{name}", path)
    for name, array in ends.items():
        _expect(array, rows[1:], f"final/{name}", path)
    _expect_states(arrays["active_state"], len(states), "frames/active_state", path)
    diabatic = None
    if "diabatic_populations" in frames:
        diabatic = read_array(frames, "diabatic_populations", unit="1")[:whole].astype(np.float64)
        _expect(
            diabatic, (*rows, *(diabatic.shape[2:3] or (1,))), "frames/diabatic_populations", path
        )
    if not (np.isfinite(time).all() and (np.diff(time) > 0).all()):
        raise DataError("frames/time does not increase from frame to frame", where=str(path))
    return Ensemble(
        path=path,
        states=states,
        atomic_numbers=read_array(file, "atomic_numbers").astype(np.int64),
        config=_json_attribute(file, "config"),
        potential=_json_attribute(file, "potential"),
        decoherence=read_attribute(file, "decoherence"),
        timestep=_number_attribute(file, "timestep"),
        time=time,
        **arrays,
        final_status=ends["status"],
        final_reason=ends["reason"],
        final_step=ends["step"],
        hops=_read_hops(_group(file, "hops"), identity, len(states), path),
        trajectory_id=identity,
        timestep_check=str(file.attrs.get("timestep_check", "")),
        diabatic_populations=diabatic,
    )


def _read_hops(
    group: h5py.Group, identity: Int[np.ndarray, " traj"], n_states: int, path: Path
) -> Hops:
    columns: dict[str, np.ndarray] = {
        name: read_array(group, name, unit=unit).astype(dtype)
        for name, (dtype, unit) in _HOP_COLUMNS.items()
    }
    numbers = columns.pop("trajectory")
    for name, column in columns.items():
        _expect(column, numbers.shape, f"hops/{name}", path)
    for name in ("from_state", "to_state"):
        _expect_states(columns[name], n_states, f"hops/{name}", path)
    order = np.argsort(identity)
    slot = np.searchsorted(identity[order], numbers).clip(max=len(identity) - 1)
    if not np.array_equal(identity[order][slot], numbers):
        raise DataError(
            "the hop table names trajectories that are not in 'trajectory_id'", where=str(path)
        )
    columns["gap"] = np.abs(columns["gap"])
    return Hops(trajectory=order[slot], **columns)


def _expect(array: np.ndarray, shape: tuple[int, ...], name: str, path: Path) -> None:
    if array.shape != shape:
        raise DataError(f"{name} has shape {array.shape}, expected {shape}", where=str(path))


def _expect_states(array: np.ndarray, n_states: int, name: str, path: Path) -> None:
    if array.size and not (array.min() >= 0 and array.max() < n_states):
        raise DataError(f"{name} names a state outside 0 … {n_states - 1}", where=str(path))


def _group(file: h5py.File, name: str) -> h5py.Group:
    if name not in file or not isinstance(file[name], h5py.Group):
        raise DataError(
            f"group '{name}' is missing",
            where=str(file.filename),
            hint=f"present: {', '.join(sorted(file)) or 'nothing'}",
        )
    return file[name]


def _json_attribute(file: h5py.File, name: str) -> dict[str, Any]:
    try:
        value = json.loads(read_attribute(file, name))
    except json.JSONDecodeError as error:
        raise DataError(
            f"attribute '{name}' is not valid JSON: {error}", where=str(file.filename)
        ) from None
    if not isinstance(value, dict):
        raise DataError(f"attribute '{name}' is not a mapping", where=str(file.filename))
    return value


def _number_attribute(file: h5py.File, name: str) -> float:
    text = read_attribute(file, name)
    try:
        value = float(text)
    except ValueError:
        raise DataError(
            f"attribute '{name}' = {text!r} is not a number", where=str(file.filename)
        ) from None
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"attribute '{name}' = {value} must be positive", where=str(file.filename))
    return value

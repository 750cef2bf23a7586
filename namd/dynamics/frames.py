"""Saved frames: the whole ensemble at one time, brought to the host as NumPy arrays."""

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, active_energy, kinetic_energy, select
from namd.dynamics.diabatic import diabatic_populations
from namd.dynamics.hop_table import Columns
from namd.dynamics.status import Status


def frame_of(
    batch: TrajectoryBatch,
    *,
    step: int,
    timestep: float,
    masses: Float64[Tensor, " atom"],
    velocities: bool,
) -> Columns:
    """Everything a frame of the ensemble file holds, without the ``frame`` axis.

    Diabatic populations are part of it where the potential has a quasi-diabatic basis.

    Parameters
    ----------
    batch
        The ensemble.
    step
        Steps the run has made; a trajectory that stopped earlier shows its last values.
    timestep
        Atomic units of time.
    masses
        Electron masses.
    velocities
        Whether to keep them.
    """
    kinetic = kinetic_energy(batch, masses)
    tensors = {
        "positions": batch.positions,
        "energies": batch.energies,
        "amplitudes": batch.amplitudes,
        "active_state": batch.active_state,
        "status": batch.status,
        "kinetic_energy": kinetic,
        "total_energy": kinetic + active_energy(batch),
    }
    tensors |= _deviations(batch)
    if batch.eigenvectors.shape[1]:
        tensors["diabatic_populations"] = diabatic_populations(batch)
    if velocities:
        tensors["velocities"] = batch.velocities
    columns: Columns = {name: value.cpu().numpy() for name, value in tensors.items()}
    return columns | {"step": np.asarray(step), "time": np.asarray(step * timestep)}


def stack_frames(frames: list[Columns]) -> Columns:
    """Frames of one block with a leading ``frame`` axis."""
    return {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}


def parked_of(batch: TrajectoryBatch, *, timestep: float) -> Columns:
    """Where the parked trajectories stand, in full precision: frames worth labelling.

    Parameters
    ----------
    batch
        The ensemble.
    timestep
        Atomic units of time.
    """
    rows = (batch.status == Status.PARKED).nonzero().squeeze(1)
    chosen = select(batch, rows)
    tensors = {
        "trajectory": chosen.trajectory_id,
        "reason": chosen.reason,
        "step": chosen.step,
        "active_state": chosen.active_state,
        "positions": chosen.positions,
        "velocities": chosen.velocities,
        "energies": chosen.energies,
        **_deviations(chosen),
    }
    columns: Columns = {name: value.cpu().numpy() for name, value in tensors.items()}
    return columns | {"time": columns["step"] * timestep}


def _deviations(batch: TrajectoryBatch) -> dict[str, Tensor]:
    """What the potential says of its errors, as far as it does."""
    known = {
        "energy_deviation": batch.energy_deviation,
        "gap_deviation": batch.gap_deviation,
        "coupling_deviation": batch.coupling_deviation,
    }
    found = {name: value for name, value in known.items() if value.shape[1]}
    if batch.force_deviation.shape[1]:
        found["force_deviation"] = batch.force_deviation[:, 0]
    return found


def final_of(batch: TrajectoryBatch) -> Columns:
    """How every trajectory stands."""
    return {name: getattr(batch, name).cpu().numpy() for name in ("status", "reason", "step")}

"""SHARC's ``output.dat`` as labelled frames; read only, for it records a run of SHARC itself."""

from pathlib import Path

import numpy as np

from namd.data.dataset import Dataset
from namd.data.formats.stated import Stated
from namd.errors import DataError
from namd.io.sharc import SIGNATURE, SharcTrajectory, read_sharc_output
from namd.molecule import Molecule
from namd.states import StateSpace


def recognises(head: bytes) -> bool:
    """Whether a file begins as SHARC's ``output.dat`` does."""
    return head.startswith(SIGNATURE)


def read_sharc(path: Path, stated: Stated) -> Dataset:
    """Read a trajectory of SHARC 2.

    Parameters
    ----------
    path
        ``output.dat``. It has that name in every ``TRAJ_*`` folder: the folder names the group.
    stated
        Level of theory and charge, which SHARC does not write, and the frames to take.

    Raises
    ------
    DataError
        If the file is damaged or holds no gradients.
    """
    stem = path.name.removesuffix(".dat").removesuffix("output").rstrip("._-")
    dataset = from_sharc(
        read_sharc_output(path),
        group=stem or path.resolve().parent.name,
        level_of_theory=stated.level_of_theory or "",
        charge=stated.charge or 0,
    )
    return stated.take(dataset)


def from_sharc(
    trajectory: SharcTrajectory, *, group: str, level_of_theory: str, charge: int = 0
) -> Dataset:
    """Turn a SHARC trajectory into labelled frames.

    Parameters
    ----------
    trajectory
        As read by :func:`namd.io.sharc.read_sharc_output`.
    group
        Name of the trajectory, the ``group`` of all its frames.
    level_of_theory
        Method of the labels; SHARC does not write it.
    charge
        Total charge in e; SHARC does not write it either.

    Returns
    -------
    Dataset
        With couplings d_ij if the trajectory has NAC vectors; ``source`` is ``traj``. Forces that
        were not computed (``grad_select``) are NaN. Active state and amplitudes are those of the
        spin-free (MCH) basis; masses are the elements' averages, not SHARC's isotopes.

    Raises
    ------
    DataError
        If the trajectory has no gradients.
    """
    if trajectory.gradients is None:
        raise DataError(
            "the trajectory holds no gradients",
            where="section 15",
            hint="run SHARC with 'write_grad' (and 'write_nacdr' for couplings)",
        )
    states = StateSpace.singlets(trajectory.energies.shape[1])
    # With `grad_select` SHARC writes zeros for the gradients it did not compute.
    computed = (trajectory.gradients != 0).any(axis=(2, 3), keepdims=True)
    first, second = np.triu_indices(len(states), k=1)
    frames = len(trajectory.time)
    diagonal = np.arange(len(states))
    arrays = {
        "positions": trajectory.positions,
        "velocities": trajectory.velocities,
        "energies": trajectory.energies,
        "forces": np.where(computed, -trajectory.gradients, np.nan),
        "dipoles": trajectory.dipoles[:, diagonal, diagonal],
        "transition_dipoles": trajectory.dipoles[:, first, second],
        "active_state": trajectory.active_state,
        "amplitudes": trajectory.amplitudes,
        "time": trajectory.time,
        "kinetic_energy": trajectory.kinetic_energy,
        "group": np.full(frames, group),
        "source": np.full(frames, "traj"),
    }
    if trajectory.nonadiabatic_coupling is not None:
        arrays["nonadiabatic_coupling"] = trajectory.nonadiabatic_coupling[:, first, second]
    return Dataset(
        molecule=Molecule.from_numbers(trajectory.atomic_numbers, charge=charge),
        states=states,
        level_of_theory=level_of_theory,
        arrays=arrays,
    )

"""SHARC's ``output.dat`` as labelled frames, and one trajectory of frames as ``output.dat``.

The file records a run. What of it a dataset does not know is NaN in what we write (hopping
probabilities, random numbers) or what SHARC writes for it (zeros for gradients that were not
computed); U is the unit matrix, for adiabatic singlets are eigenstates of their own Hamiltonian.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from namd.data.dataset import Dataset
from namd.data.formats.stated import Stated
from namd.errors import DataError
from namd.io.saving import refuse_existing
from namd.io.sharc import SIGNATURE, SharcTrajectory, read_sharc_output
from namd.io.sharc_writer import write_sharc_output
from namd.molecule import Molecule
from namd.states import StateSpace

_MOST_PARTS = 20
"""A thinned trajectory need not have two frames that are one step apart."""
_SAME_TIME = 1e-4
"""Of the smallest distance of two times."""


def recognises(head: bytes) -> bool:
    """Whether a file begins as SHARC's ``output.dat`` does."""
    return head.startswith(SIGNATURE)


def read_sharc(path: Path, stated: Stated) -> Dataset:
    """Read a trajectory of SHARC 2 to 4.

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
        were not computed (``grad_select``) are NaN; dipoles and amplitudes that are NaN throughout
        are left out. Active state and amplitudes are those of the spin-free (MCH) basis; masses
        are the elements' averages, not SHARC's isotopes.

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
    for name in ("dipoles", "transition_dipoles", "amplitudes"):
        if np.isnan(arrays[name]).all():
            del arrays[name]
    return Dataset(
        molecule=Molecule.from_numbers(trajectory.atomic_numbers, charge=charge),
        states=states,
        level_of_theory=level_of_theory,
        arrays=arrays,
    )


def write_sharc(dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write one trajectory as ``output.dat``.

    Parameters
    ----------
    dataset
        As for :func:`to_sharc`.
    path
        File to make, atomically.
    overwrite
        Replace a file of that name.

    Raises
    ------
    ConfigError
        If the file exists and may not be replaced.
    DataError
        If the frames are not one trajectory of singlets, or the file cannot be written.
    """
    if not overwrite:
        refuse_existing(path)
    write_sharc_output(to_sharc(dataset), path, overwrite=overwrite)


def to_sharc(dataset: Dataset) -> SharcTrajectory:
    """Turn the labelled frames of one trajectory into one of SHARC's.

    Parameters
    ----------
    dataset
        Singlets; one group, in the order of time, with velocities and active states. Couplings
        given as h alone become h/(E_j − E_i). Diabatic quantities, the level of theory and the
        charge have no place in the file.

    Returns
    -------
    SharcTrajectory
        Energies as they are (``ezero`` 0), so that those of several files compare; steps counted in
        the longest time step that divides all times.

    Raises
    ------
    DataError
        If the frames are not such a trajectory; the message says why.
    """
    _refuse_what_is_no_trajectory(dataset)
    frames, count, atoms = len(dataset), len(dataset.states), len(dataset.molecule)
    timestep, step = _steps(dataset["time"])
    velocities, masses = dataset["velocities"], dataset.molecule.masses
    kinetic = dataset.get("kinetic_energy")
    amplitudes = dataset.get("amplitudes")
    return SharcTrajectory(
        atomic_numbers=dataset.molecule.atomic_numbers,
        masses=masses,
        step=step,
        timestep=timestep,
        substeps=1,
        laser=False,
        time=step * timestep,
        energies=dataset["energies"],
        relative_energies=dataset["energies"],
        positions=dataset["positions"],
        velocities=velocities,
        dipoles=_dipole_matrices(dataset),
        active_state=dataset["active_state"],
        amplitudes=np.full((frames, count), np.nan + 0j) if amplitudes is None else amplitudes,
        rotation=np.broadcast_to(np.eye(count, dtype=np.complex128), (frames, count, count)),
        hop_probabilities=np.full((frames, count), np.nan),
        random_number=np.full(frames, np.nan),
        kinetic_energy=0.5 * (velocities**2).sum(2) @ masses if kinetic is None else kinetic,
        gradients=-np.nan_to_num(dataset["forces"]),
        nonadiabatic_coupling=_coupling_matrices(dataset, (frames, count, count, atoms, 3)),
    )


def _refuse_what_is_no_trajectory(dataset: Dataset) -> None:
    if dataset.multiplicity != 1:
        raise DataError(
            f"the states have multiplicity {dataset.multiplicity}, expected singlets",
            where="multiplicity",
            hint="write another format",
        )
    if (count := len(set(dataset["group"].tolist()))) != 1:
        raise DataError(
            f"the frames are of {count} trajectories, an output.dat holds one",
            where="group",
            hint="choose the frames of one with --frames START:STOP",
        )
    for name in ("time", "velocities", "active_state"):
        if name not in dataset or not (
            np.isfinite(dataset[name]).all()
            and (name != "active_state" or dataset[name].min() >= 0)
        ):
            raise DataError(
                f"'{name}' is not known of every frame, an output.dat needs it",
                where=name,
                hint="choose frames of a trajectory with --frames START:STOP, or another format",
            )


def _steps(time: Float[np.ndarray, " frame"]) -> tuple[float, np.ndarray]:
    """Time step, and number of every frame's step: the longest one that divides all times."""
    smallest = float(np.diff(time).min()) if len(time) > 1 else 0.0
    for parts in range(1, _MOST_PARTS + 1) if smallest > 0.0 else ():
        step = np.rint(time * parts / smallest)
        if np.abs(time - step * smallest / parts).max() < _SAME_TIME * smallest:
            # Over the whole way: a difference of two neighbouring times has lost digits.
            timestep = (time[-1] - time[0]) / (step[-1] - step[0])
            return float(timestep), step.astype(np.int64)
    raise DataError(
        "the times are not growing multiples of one time step",
        where="time",
        hint="an output.dat needs at least two frames of a trajectory, evenly spaced",
    )


def _dipole_matrices(dataset: Dataset) -> Float[np.ndarray, "frame state state 3"]:
    count = len(dataset.states)
    matrices = np.full((len(dataset), count, count, 3), np.nan)
    first, second = np.triu_indices(count, k=1)
    if (permanent := dataset.get("dipoles")) is not None:
        matrices[:, np.arange(count), np.arange(count)] = permanent
    if (transition := dataset.get("transition_dipoles")) is not None:
        matrices[:, first, second] = matrices[:, second, first] = transition
    return matrices


def _coupling_matrices(
    dataset: Dataset, shape: tuple[int, ...]
) -> Float[np.ndarray, "frame state state atom 3"] | None:
    if not dataset.has_coupling:
        return None
    d = dataset.nonadiabatic_coupling
    matrices = np.zeros(shape)
    first, second = np.triu_indices(shape[1], k=1)
    matrices[:, first, second], matrices[:, second, first] = d, -d
    return matrices

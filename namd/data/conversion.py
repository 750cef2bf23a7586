"""Bring labelled data from foreign files into one :class:`~namd.data.dataset.Dataset`.

The kind of a file is told by its first bytes, never by its name.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from namd import __version__
from namd.data.checks import check_dataset
from namd.data.combining import concatenate
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.errors import DataError
from namd.io.hdf5 import HDF5_SIGNATURE
from namd.io.sharc import SIGNATURE as SHARC_SIGNATURE
from namd.io.sharc import SharcTrajectory, read_sharc_output
from namd.molecule import Molecule
from namd.states import StateSpace


def gather(
    paths: Sequence[Path],
    *,
    level_of_theory: str | None = None,
    charge: int | None = None,
    states: Sequence[str] | None = None,
    title: str | None = None,
    licence: str | None = None,
) -> Dataset:
    """Read files of any known kind and join them.

    Parameters
    ----------
    paths
        Native or plain HDF5 datasets, or SHARC ``output.dat`` trajectories.
    level_of_theory, charge, states, title, licence
        What the files do not say, or say wrongly: these replace what was read.

    Returns
    -------
    Dataset
        All frames; ``provenance["steps"]`` ends with the names and SHA-256 digests of the files.

    Raises
    ------
    DataError
        If a file cannot be read or is of no known kind, its numbers cannot be right, the level of
        theory stays unknown, the number of labels is not that of the states, or the files do not
        fit together.
    """
    datasets = []
    for path in paths:
        dataset = _read(path, charge=charge, level_of_theory=level_of_theory)
        if states is not None and len(states) != len(dataset.states):
            raise DataError(
                f"{len(states)} state labels are given ({' '.join(states)}), "
                f"the file has {len(dataset.states)} states",
                where=f"{path}  energies",
                hint="give one label per state, in ascending energy",
            )
        dataset = replace(
            dataset,
            molecule=replace(
                dataset.molecule,
                charge=dataset.molecule.charge if charge is None else charge,
            ),
            states=dataset.states if states is None else StateSpace(tuple(states)),
            level_of_theory=(level_of_theory or dataset.level_of_theory).strip(),
            title=dataset.title if title is None else title,
            licence=dataset.licence if licence is None else licence,
        )
        check_dataset(dataset, path=path, require_forces=False)
        datasets.append(dataset)
    joined = concatenate(datasets)
    steps = [*joined.provenance.get("steps", []), _record(paths)]
    return replace(joined, provenance={**joined.provenance, "steps": steps})


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


def _read(path: Path, *, charge: int | None, level_of_theory: str | None) -> Dataset:
    try:
        with path.open("rb") as stream:
            head = stream.read(max(len(HDF5_SIGNATURE), len(SHARC_SIGNATURE)))
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="check the path"
        ) from error
    if head.startswith(HDF5_SIGNATURE):
        return read_dataset(path)
    if head.startswith(SHARC_SIGNATURE):
        # output.dat has the same name in every TRAJ_* folder: the folder tells them apart.
        stem = path.name.removesuffix(".dat").removesuffix("output").rstrip("._-")
        return from_sharc(
            read_sharc_output(path),
            group=stem or path.resolve().parent.name,
            level_of_theory=level_of_theory or "",
            charge=charge or 0,
        )
    raise DataError(
        "the file is neither an HDF5 dataset nor a SHARC output.dat",
        where=str(path),
        hint="these two kinds can be converted",
    )


def _record(paths: Sequence[Path]) -> dict[str, Any]:
    return {
        "step": "convert",
        "namd": __version__,
        "inputs": [
            {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in paths
        ],
    }

"""A plain table of frames in HDF5: arrays of the usual names, no ``format`` attribute.

This is the layout reference data are often handed around in, the SSR-DFTB stilbene set among
them. It differs from the native one in small things:

==========================  ==========================================  =====================
plain                       here                                        change
==========================  ==========================================  =====================
``nonadiabatic_coupling``   ``nonadiabatic_coupling``                   pair axis added to
``interstate_coupling``     ``interstate_coupling``                     ``[frame, atom, 3]``
``transition_dipole``       ``transition_dipoles``                      pair axis added
``time_fs`` (fs)            ``time`` (ħ/Hartree)                        unit
==========================  ==========================================  =====================

``diabatic_eigenvectors`` are left out: they follow from ``diabatic_hamiltonian`` with more digits.
Every dataset but ``atomic_numbers``, ``positions``, ``energies`` and ``forces`` is optional.
"""

import h5py
import numpy as np

from namd.data.dataset import Dataset
from namd.data.native import read_integer, read_molecule
from namd.errors import DataError
from namd.io.hdf5 import read_array
from namd.schema import PROPERTIES
from namd.states import StateSpace
from namd.units import FS_PER_ATOMIC_TIME

UNGROUPED = "ungrouped"
"""Group and source of frames whose file does not tell: one group, so that no split cuts it."""

_NEEDED = ("positions", "energies", "forces")
_PAIR_NDIM = {"nonadiabatic_coupling": 4, "interstate_coupling": 4, "transition_dipoles": 3}
_OTHER_NAMES = {"transition_dipole": "transition_dipoles"}


def read_plain(file: h5py.File) -> Dataset:
    """Read a plain table of frames from an open file.

    Parameters
    ----------
    file
        Open HDF5 file.

    Returns
    -------
    Dataset
        In double precision and atomic units.

    Raises
    ------
    DataError
        Naming what is missing, in another unit or misshapen.
    """
    molecule = read_molecule(file)
    arrays = {name: read_array(file, name, unit=PROPERTIES[name].unit) for name in _NEEDED}
    if arrays["energies"].ndim != 2:
        raise DataError(
            f"'energies' has the shape {list(arrays['energies'].shape)}, expected [frame, state]"
        )
    frames, number_of_states = arrays["energies"].shape
    for name in file:
        ours = _OTHER_NAMES.get(name, name)
        if ours in PROPERTIES and ours not in arrays:
            values = read_array(file, name, unit=PROPERTIES[ours].unit)
            arrays[ours] = _with_pair_axis(ours, values, number_of_states)
    if "time_fs" in file:
        arrays["time"] = read_array(file, "time_fs", unit="fs") / FS_PER_ATOMIC_TIME
    for name in ("group", "source"):
        arrays.setdefault(name, np.full(frames, UNGROUPED))
    note = str(file.attrs.get("note", ""))
    return Dataset(
        molecule=molecule,
        states=_read_states(file, number_of_states),
        level_of_theory=str(file.attrs.get("level_of_theory", "")),
        arrays=arrays,
        multiplicity=read_integer(file, "multiplicity", default=1),
        title=str(file.attrs.get("title", "")),
        licence=str(file.attrs.get("licence", "")),
        provenance={"note": note} if note else {},
    )


def _with_pair_axis(name: str, values: np.ndarray, number_of_states: int) -> np.ndarray:
    """Insert the pair axis where one pair made it superfluous."""
    if name in _PAIR_NDIM and values.ndim == _PAIR_NDIM[name] - 1 and number_of_states == 2:
        return values[:, None]
    return values


def _read_states(file: h5py.File, number: int) -> StateSpace:
    labels = str(file.attrs.get("states", "")).split()
    if labels and len(labels) != number:
        raise DataError(
            f"attribute 'states' names {len(labels)} states ({' '.join(labels)}), "
            f"'energies' has {number}"
        )
    return StateSpace(tuple(labels)) if labels else StateSpace.singlets(number)

"""States in ascending energy, with everything that belongs to them."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from namd.data.dataset import Dataset
from namd.schema import PROPERTIES


def sort_states(dataset: Dataset) -> tuple[Dataset, Bool[np.ndarray, " frame"]]:
    """Sort the states of every frame by energy.

    Forces, dipoles, amplitudes, couplings, transition dipoles and the active state go with their
    states; h_ij and μ_ij are symmetric, d_ij = −d_ji changes its sign where i and j change places.

    Parameters
    ----------
    dataset
        Any dataset; frames with an energy that is NaN stay as they are.

    Returns
    -------
    sorted, changed
        The frames, and in which of them the order changed.
    """
    energies = dataset["energies"]
    order = np.argsort(energies, axis=1, kind="stable")
    usual = np.arange(len(dataset.states))
    order[~np.isfinite(energies).all(axis=1)] = usual
    changed = (order != usual).any(axis=1)
    if not changed.any():
        return dataset, changed
    pairs = np.array(dataset.states.pairs, dtype=np.int64).reshape(-1, 2)
    i, j = order[:, pairs[:, 0]], order[:, pairs[:, 1]]
    column = np.zeros((len(usual), len(usual)), dtype=np.int64)
    column[pairs[:, 0], pairs[:, 1]] = column[pairs[:, 1], pairs[:, 0]] = np.arange(len(pairs))
    sources = {"state": order, "pair": column[i, j]}
    arrays = dict(dataset.arrays)
    for name, values in arrays.items():
        axes = PROPERTIES[name].axes
        if axes and axes[0] in sources:
            source = sources[axes[0]]
            source = source.reshape(source.shape + (1,) * (values.ndim - 2))
            arrays[name] = np.take_along_axis(values, source, axis=1)
    if "nonadiabatic_coupling" in arrays:
        turned = np.where(i > j, -1.0, 1.0)[:, :, None, None]
        arrays["nonadiabatic_coupling"] = arrays["nonadiabatic_coupling"] * turned
    if "active_state" in arrays:
        active = arrays["active_state"]
        place = np.argsort(order, axis=1)
        known = (active >= 0) & (active < len(usual))
        new = np.take_along_axis(place, np.where(known, active, 0)[:, None], axis=1)[:, 0]
        arrays["active_state"] = np.where(known, new, active)
    return replace(dataset, arrays=arrays), changed

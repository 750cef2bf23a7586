"""Find frames that are in a dataset twice.

Continued trajectories often repeat the steps they branch off from. A repeat weighs double in a
fit; in another group it leaks from training into the test.
"""

import numpy as np
from jaxtyping import Int

from namd.data.dataset import Dataset
from namd.data.distances import inverse_distances

SAME_ENERGY = 1e-7
"""Hartree."""
SAME_INVERSE_DISTANCE = 1e-5
"""1/Bohr."""


def repeated_frames(
    dataset: Dataset,
) -> tuple[Int[np.ndarray, " repeat"], Int[np.ndarray, " repeat"]]:
    """Find pairs of frames with the same energies and the same distances between all atoms.

    Parameters
    ----------
    dataset
        Any dataset; frames with NaN repeat nothing.

    Returns
    -------
    later, earlier
        Frame numbers: ``later[k]`` repeats ``earlier[k]``; ``later`` ascends.
    """
    nothing = np.zeros(0, dtype=np.int64)
    if len(dataset) < 2 or len(dataset.molecule) < 2:
        return nothing, nothing
    energies, positions = dataset["energies"], dataset["positions"]
    order = np.lexsort(energies.T[::-1])  # equal frames come to lie side by side
    one, two = order[:-1], order[1:]
    near = (np.abs(energies[one] - energies[two]) < SAME_ENERGY).all(axis=1)
    one, two = one[near], two[near]
    with np.errstate(invalid="ignore"):  # infinity − infinity: atoms in one place
        apart = np.abs(inverse_distances(positions[one]) - inverse_distances(positions[two]))
    same = (apart < SAME_INVERSE_DISTANCE).all(axis=1)
    later, earlier = np.maximum(one, two)[same], np.minimum(one, two)[same]
    by_number = np.argsort(later, kind="stable")
    return later[by_number], earlier[by_number]

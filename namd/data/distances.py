"""Distances between atoms, for many frames at once."""

import numpy as np
from jaxtyping import Float, Int

_BLOCK = 1024


def inverse_distances(
    positions: Float[np.ndarray, "frame atom 3"],
) -> Float[np.ndarray, "frame atompair"]:
    """1/r of every pair of atoms, 1/Bohr; infinite for two atoms in one place.

    Parameters
    ----------
    positions
        Bohr.

    Returns
    -------
    numpy.ndarray
        Pairs i < j row by row.
    """
    first, second = np.triu_indices(positions.shape[1], k=1)
    distances: np.ndarray = np.linalg.norm(positions[:, first] - positions[:, second], axis=-1)
    with np.errstate(divide="ignore"):
        return 1.0 / distances


def nearest_neighbours(
    positions: Float[np.ndarray, "frame atom 3"],
) -> tuple[Float[np.ndarray, "frame atom"], Int[np.ndarray, "frame atom"]]:
    """Distance (Bohr) to, and number of, the nearest other atom of every atom.

    Parameters
    ----------
    positions
        Bohr.

    Returns
    -------
    distance, partner
        A single atom has none: infinitely far, atom 0.
    """
    frames, atoms = positions.shape[:2]
    distance = np.full((frames, atoms), np.inf)
    partner = np.zeros((frames, atoms), dtype=np.int64)
    if atoms == 1:
        return distance, partner
    for start in range(0, frames, _BLOCK):  # bounds the memory of [frame, atom, atom, xyz]
        rows = slice(start, start + _BLOCK)
        separation = np.linalg.norm(positions[rows, :, None] - positions[rows, None], axis=-1)
        separation[:, np.arange(atoms), np.arange(atoms)] = np.inf
        partner[rows] = separation.argmin(axis=-1)
        distance[rows] = separation.min(axis=-1)
    return distance, partner

"""Chains: frames that are computed one after another, the guess of one for the next.

They are cut from the data alone, so that labels do not depend on how many workers there are.

A guess is good for a near geometry only. Carried far, the orbitals of one frame can bring a
state-averaged CASSCF of the next to a solution that is not its lowest: converged, smooth in itself,
and a state tenths of an eV too high. A chain ends, therefore, where an atom has gone far.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float


def chains(
    groups: Sequence[str],
    positions: Float[np.ndarray, "frame atom 3"],
    *,
    length: int,
    within: float,
) -> list[range]:
    """Cut runs of consecutive frames of one group into pieces.

    Parameters
    ----------
    groups
        Group of every frame.
    positions
        Of every frame.
    length
        Frames in a chain at most.
    within
        All atoms go less far than this from one frame of a chain to the next; in the unit of the
        positions, 0 for chains of one frame.
        Turned as a whole a molecule is not near to itself: orbitals do not turn with it.

    Returns
    -------
    list of range
        Frame numbers; every frame is in one chain.

    Examples
    --------
    >>> place = np.zeros((5, 1, 3))
    >>> chains(["a", "a", "a", "b", "a"], place, length=2, within=0.5)
    [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]
    >>> place[1:] = 1.0
    >>> chains(["a", "a", "a", "b", "a"], place, length=2, within=0.5)
    [range(0, 1), range(1, 3), range(3, 4), range(4, 5)]
    """
    if not len(groups):
        return []
    gone = np.linalg.norm(np.diff(positions, axis=0), axis=-1).max(axis=-1, initial=0.0)
    other = np.array([one != two for one, two in pairwise(groups)], dtype=bool)
    turns = (np.flatnonzero(other | ~(gone < within)) + 1).tolist()
    edges = [0, *turns, len(groups)]
    return [
        range(start, min(start + length, last))
        for first, last in pairwise(edges)
        for start in range(first, last, length)
    ]

"""Chains: frames that are computed one after another, the guess of one for the next.

They are cut from the data alone, so that labels do not depend on how many workers there are.
"""

from collections.abc import Sequence
from itertools import pairwise


def chains(groups: Sequence[str], *, length: int) -> list[range]:
    """Cut runs of consecutive frames of one group into pieces.

    Parameters
    ----------
    groups
        Group of every frame.
    length
        Frames in a chain at most.

    Returns
    -------
    list of range
        Frame numbers; every frame is in one chain.

    Examples
    --------
    >>> chains(["a", "a", "a", "b", "a"], length=2)
    [range(0, 2), range(2, 3), range(3, 4), range(4, 5)]
    """
    if not len(groups):
        return []
    turns = [k for k, (one, two) in enumerate(pairwise(groups), start=1) if one != two]
    edges = [0, *turns, len(groups)]
    return [
        range(start, min(start + length, last))
        for first, last in pairwise(edges)
        for start in range(first, last, length)
    ]

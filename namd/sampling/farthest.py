"""Few frames that cover many: farthest-point selection.

One frame after the other is taken, each time the one farthest from all taken before. The distance
is Euclidean between descriptors, here the inverse interatomic distances sorted within every pair
of elements: they do not change with rotation, translation, reflection or the numbering of equal
atoms. The distances at which frames are taken fall steadily, so that a limit on them drops repeats
and near-repeats.

Reference: T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985), DOI 10.1016/0304-3975(85)90224-5
(no selection of equal size has less than half its covering radius).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from namd.data.distances import inverse_distances
from namd.errors import DataError

CLOSEST = 1e-3
"""1/Bohr: frames nearer to one that is taken are repeats of it."""
_BLOCK = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection:
    """Frames taken, in the order they were.

    Parameters
    ----------
    frames
        Their numbers.
    distances
        Of each from those before it (and from the known ones); infinite for a first one.
    covering
        Largest distance of a frame left out from the nearest one taken.
    """

    frames: Int[np.ndarray, " taken"]
    distances: Float[np.ndarray, " taken"]
    covering: float


def sorted_inverse_distances(
    atomic_numbers: Int[np.ndarray, " atom"], positions: Float[np.ndarray, "frame atom 3"]
) -> Float[np.ndarray, "frame atompair"]:
    """1/r of all pairs of atoms (1/Bohr), descending within each pair of elements.

    Parameters
    ----------
    atomic_numbers, positions
        Of the frames, Bohr.

    Raises
    ------
    DataError
        If two atoms of a frame are in one place.
    """
    values = inverse_distances(positions)
    if bad := np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist():
        raise DataError(
            "two atoms are in one place", where=f"frame {bad[0]}", hint="remove such frames"
        )
    first, second = np.triu_indices(len(atomic_numbers), k=1)
    kinds = np.sort(np.stack([atomic_numbers[first], atomic_numbers[second]]), axis=0)
    for kind in np.unique(kinds, axis=1).T:
        columns = np.flatnonzero((kinds == kind[:, None]).all(axis=0))
        values[:, columns] = -np.sort(-values[:, columns], axis=1)
    return np.asarray(values)


def farthest_points(
    descriptors: Float[np.ndarray, "frame feature"],
    *,
    number: int,
    closest: float = CLOSEST,
    known: Float[np.ndarray, "other feature"] | None = None,
) -> Selection:
    """Take frames one by one, always the farthest from all there are.

    Parameters
    ----------
    descriptors
        Of the frames.
    number
        How many to take at most.
    closest
        Stop where the farthest frame is no farther than this: all that is left are repeats.
    known
        Descriptors of frames that exist already, e.g. with labels. Without them the first frame
        is taken first.

    Returns
    -------
    Selection
        Ties go to the frame that comes first.
    """
    nearest = np.full(len(descriptors), np.inf)
    if known is not None and len(known):
        nearest = nearest_distances(descriptors, known)
    frames: list[int] = []
    distances: list[float] = []
    while len(frames) < min(number, len(descriptors)):
        farthest = int(nearest.argmax())
        if nearest[farthest] <= closest:
            break
        frames.append(farthest)
        distances.append(float(nearest[farthest]))
        away = np.linalg.norm(descriptors - descriptors[farthest], axis=1)
        nearest = np.minimum(nearest, away)
    return Selection(
        frames=np.array(frames, dtype=np.int64),
        distances=np.array(distances, dtype=np.float64),
        covering=float(nearest.max(initial=0.0)),
    )


def nearest_distances(
    descriptors: Float[np.ndarray, "frame feature"],
    others: Float[np.ndarray, "other feature"],
    *,
    groups: Int[np.ndarray, " frame"] | None = None,
) -> Float[np.ndarray, " frame"]:
    """Distance of every frame from the nearest of some others.

    Parameters
    ----------
    descriptors, others
        Of the frames, and of at least one other.
    groups
        Given where both are the same frames: each one's distance from the nearest of another
        group. There are two groups at least.

    Returns
    -------
    numpy.ndarray
        Exactly 0 for a frame that is among the others.
    """
    nearest = np.full(len(descriptors), np.inf)
    centre = others.mean(axis=0)  # no digit is lost to an offset
    moved = others - centre
    lengths = np.square(moved).sum(axis=1)
    for start in range(0, len(descriptors), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(descriptors)))
        # |a − b|² = |a|² − 2 a·b + |b|² finds the nearest by one matrix product, to rounding …
        squares = lengths - 2.0 * (descriptors[rows] - centre) @ moved.T
        if groups is not None:
            squares[groups[rows][:, None] == groups] = np.inf
        found = others[squares.argmin(axis=1)]
        nearest[rows] = np.linalg.norm(descriptors[rows] - found, axis=1)  # … and this exactly
    return nearest

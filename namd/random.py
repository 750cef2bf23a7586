"""Counter-based random numbers (NumPy), the reference for every draw in the package.

Philox4x32-10 maps a counter (trajectory, draw, stream) and a key (the seed) to random bits, with no
state in between: a trajectory sees the same numbers alone or among thousands, before or after a
restart, on any number of workers. :mod:`namd.dynamics.random_numbers` gives the same bits in torch.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3,
SC'11 (2011), DOI 10.1145/2063384.2063405.
"""

from enum import IntEnum

import numpy as np
from jaxtyping import Float, Integer, UInt32, UInt64

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


class Stream(IntEnum):
    """Independent purposes of the draws of one trajectory; each has its own sequence."""

    HOP = 0
    WIGNER = 1
    SELECTION = 2
    DECOHERENCE = 3
    EXCITATION = 6
    SPHERE = 9
    DIABATIC_START = 8
    NOISE = 10


def philox4x32(
    counter: UInt32[np.ndarray, "*batch 4"], key: tuple[int, int]
) -> UInt32[np.ndarray, "*batch 4"]:
    """Ten rounds of Philox on each 128-bit counter.

    Parameters
    ----------
    counter
        Four 32-bit words per draw, least significant first.
    key
        Two 32-bit words.

    Returns
    -------
    Four random 32-bit words per counter.
    """
    c0, c1, c2, c3 = (counter[..., k].astype(np.uint64) for k in range(4))
    mask, shift = np.uint64(MASK), np.uint64(32)
    for r in range(ROUNDS):
        k0, k1 = (np.uint64((word + r * weyl) & MASK) for word, weyl in zip(key, WEYL, strict=True))
        left, right = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (right >> shift) ^ c1 ^ k0,
            right & mask,
            (left >> shift) ^ c3 ^ k1,
            left & mask,
        )
    return np.stack((c0, c1, c2, c3), axis=-1).astype(np.uint32)


def seed_key(seed: int) -> tuple[int, int]:
    """Split a 64-bit seed into the two key words."""
    return seed & MASK, (seed >> 32) & MASK


def random_words(
    trajectory_id: Integer[np.ndarray, " *#batch"] | int,
    draw: Integer[np.ndarray, " *#batch"] | int,
    *,
    seed: int,
    stream: int,
) -> UInt64[np.ndarray, "*batch 4"]:
    """Four random 32-bit words for every (trajectory, draw), broadcast against each other."""
    identity, number = np.broadcast_arrays(
        np.asarray(trajectory_id, dtype=np.int64), np.asarray(draw, dtype=np.int64)
    )
    words = (identity & MASK, (identity >> 32) & MASK, number & MASK, np.full_like(number, stream))
    counter = np.stack(words, axis=-1).astype(np.uint32)
    return philox4x32(counter, seed_key(seed)).astype(np.uint64)


def uniform(
    trajectory_id: Integer[np.ndarray, " *#batch"] | int,
    draw: Integer[np.ndarray, " *#batch"] | int,
    *,
    seed: int,
    stream: int,
) -> Float[np.ndarray, " *batch"]:
    """Uniform numbers strictly inside (0, 1): odd multiples of 2⁻⁵³.

    Parameters
    ----------
    trajectory_id, draw
        Which trajectory and which of its draws (in a run: the step); broadcast.
    seed
        64-bit seed of the run.
    stream
        A :class:`Stream`.

    Examples
    --------
    >>> float(uniform(7, 3, seed=1, stream=Stream.HOP)) == float(
    ...     uniform(np.arange(10), 3, seed=1, stream=Stream.HOP)[7]
    ... )
    True
    """
    words = random_words(trajectory_id, draw, seed=seed, stream=stream)
    return _unit_interval(words[..., 0], words[..., 1])


def normals(
    trajectory_id: Integer[np.ndarray, " traj"], *, count: int, seed: int, stream: int
) -> Float[np.ndarray, "traj count"]:
    """``count`` independent standard normal numbers per trajectory (Box–Muller).

    Number ``k`` of a trajectory depends neither on ``count`` nor on the other trajectories.

    Parameters
    ----------
    trajectory_id
        One identity per row of the result.
    count
        How many numbers each trajectory needs.
    seed, stream
        As for :func:`uniform`.
    """
    pairs = np.arange((count + 1) // 2)
    words = random_words(np.asarray(trajectory_id)[:, None], pairs, seed=seed, stream=stream)
    radius = np.sqrt(-2.0 * np.log(_unit_interval(words[..., 0], words[..., 1])))
    angle = 2.0 * np.pi * _unit_interval(words[..., 2], words[..., 3])
    both = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=-1)
    return both.reshape(len(both), -1)[:, :count]


def _unit_interval(
    high: UInt64[np.ndarray, " *batch"], low: UInt64[np.ndarray, " *batch"]
) -> Float[np.ndarray, " *batch"]:
    """(2k + 1)·2⁻⁵³ with the 52-bit k made of the upper 26 bits of each word."""
    k = (high >> np.uint64(6)) << np.uint64(26) | (low >> np.uint64(6))
    odd = (k << np.uint64(1)) + np.uint64(1)
    return np.asarray(odd.astype(np.float64) * 2.0**-53)

"""Counter-based random numbers in torch: the same bits as :mod:`namd.random`, without a sync.

The arithmetic is done in int64, whose products wrap modulo 2⁶⁴; the upper half of a 32 × 32 bit
product is read by a shift and a mask.

Reference: Salmon, Moraes, Dror, Shaw, SC'11, DOI 10.1145/2063384.2063405.
"""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.random import MASK, MULTIPLIERS, ROUNDS, WEYL, seed_key


def philox4x32(counter: Int64[Tensor, "4 traj"], key: tuple[int, int]) -> Int64[Tensor, "4 traj"]:
    """Ten rounds of Philox on each column of four 32-bit words (held in int64).

    Parameters
    ----------
    counter
        Words 0 to 3 of every counter, each in [0, 2³²).
    key
        Two 32-bit words.
    """
    device = counter.device
    multipliers = torch.tensor(MULTIPLIERS[::-1], device=device)[:, None]
    schedule = torch.tensor(
        [[(w + r * step) & MASK for w, step in zip(key, WEYL, strict=True)] for r in range(ROUNDS)],
        device=device,
    )[:, :, None]
    even, odd = counter[::2], counter[1::2]
    for round_key in schedule:
        product = even.flip(0) * multipliers
        even, odd = (product >> 32) & MASK ^ odd ^ round_key, product & MASK
    return torch.stack((even[0], odd[0], even[1], odd[1]))


def uniform(
    trajectory_id: Int64[Tensor, " traj"],
    draw: Int64[Tensor, " traj"],
    *,
    seed: int,
    stream: int,
) -> Float64[Tensor, " traj"]:
    """Uniform numbers strictly inside (0, 1), one per trajectory: odd multiples of 2⁻⁵³.

    Parameters
    ----------
    trajectory_id, draw
        Identity of the trajectory and number of the draw (the step).
    seed
        64-bit seed of the run.
    stream
        A :class:`namd.random.Stream`.
    """
    counter = torch.stack(
        (
            trajectory_id & MASK,
            (trajectory_id >> 32) & MASK,
            draw & MASK,
            torch.full_like(draw, stream),
        )
    )
    words = philox4x32(counter, seed_key(seed))
    k = ((words[0] >> 6) << 26) | (words[1] >> 6)
    return ((k << 1) + 1).to(torch.float64) * 2.0**-53

"""Draw the state a trajectory tries to hop to from its hop probabilities."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


def select_state(
    probabilities: Float64[Tensor, "traj state"],
    number: Float64[Tensor, " traj"],
    *,
    active_state: Int64[Tensor, " traj"],
) -> Int64[Tensor, " traj"]:
    """State b with Σ_{i<b} P_i < r ≤ Σ_{i≤b} P_i, or the active one if r exceeds the whole sum.

    Parameters
    ----------
    probabilities
        P_{a→b}; zero for b = a.
    number
        Uniform r in (0, 1).
    active_state
        a.
    """
    below = (probabilities.cumsum(1) < number[:, None]).sum(1)
    return torch.where(below < probabilities.shape[1], below, active_state)

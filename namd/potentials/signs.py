"""Signs of whole states: the one freedom every set of couplings h_ij has.

Each adiabatic state has a sign of its own; with s_0 = +1 for k states there are 2^(k−1) choices. A
sign turns a state as a whole, never one pair or one component alone.
"""

from itertools import product

import torch
from jaxtyping import Float64
from torch import Tensor


def signs_of_couplings(
    reference: Float64[Tensor, "traj pair atom 3"],
    couplings: Float64[Tensor, "traj pair atom 3"],
    *,
    states: int,
) -> Float64[Tensor, "traj state"]:
    """Signs of all states that together bring the couplings nearest to a reference.

    Parameters
    ----------
    reference, couplings
        h_ij before and after, pairs in the order 01, 02, 12, ….
    states
        How many; 2^(states − 1) choices are compared. Of equal ones the first is taken, which is
        no change for vanishing couplings.
    """
    choices = torch.tensor(
        [(1.0, *rest) for rest in product((1.0, -1.0), repeat=states - 1)],
        dtype=couplings.dtype,
        device=couplings.device,
    )
    first, second = torch.triu_indices(states, states, offset=1, device=couplings.device)
    similarity = (reference * couplings).flatten(2).sum(2)
    score = (similarity[:, None, :] * (choices[:, first] * choices[:, second])).sum(2)
    return choices[score.argmax(1)]


def turn_couplings(
    couplings: Float64[Tensor, "traj pair atom 3"], signs: Float64[Tensor, "traj state"]
) -> Float64[Tensor, "traj pair atom 3"]:
    """h_ij of states that were turned by ``signs``: s_i s_j h_ij."""
    states = signs.shape[1]
    first, second = torch.triu_indices(states, states, offset=1, device=signs.device)
    return couplings * (signs[:, first] * signs[:, second])[:, :, None, None]

r"""Let the signs of the states continue those of the step before.

Every adiabatic state has a free sign, chosen anew by every eigensolver and every electronic
structure code. A sign turns a state as a whole: its eigenvector and all couplings it takes part in,
never one pair or one component alone. With s_0 = +1 for k states there are 2^(k−1) choices.

* Where states come in a basis, s_j is the sign of ⟨φ_j(t)|φ_j(t+dt)⟩.
* Where only couplings h_ij are known, s is the choice that maximises
  :math:`\sum_{i<j} s_i s_j \langle h_{ij}(t+dt), h_{ij}(t)\rangle`.
* Where neither is known nothing depends on a sign.
"""

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.potentials.signs import signs_of_couplings, turn_couplings


def continue_signs(before: TrajectoryBatch, after: TrajectoryBatch) -> TrajectoryBatch:
    """Turn the states of ``after`` so that they continue those of ``before``.

    Parameters
    ----------
    before, after
        The same trajectories at t and t + dt.
    """
    states = after.energies.shape[1]
    if after.eigenvectors.shape[1]:
        signs = signs_of_overlap((before.eigenvectors * after.eigenvectors).sum(1))
    elif after.couplings.shape[1]:
        signs = signs_of_couplings(before.couplings, after.couplings, states=states)
    else:
        return after
    couplings = after.couplings
    if couplings.shape[1]:
        couplings = turn_couplings(couplings, signs)
    return replace(after, eigenvectors=after.eigenvectors * signs[:, None, :], couplings=couplings)


def signs_of_overlap(
    diagonal: Float64[Tensor, "traj state"],
) -> Float64[Tensor, "traj state"]:
    """Sign of each state from its overlap with the same state a step earlier; +1 for zero."""
    return torch.where(diagonal < 0, -1.0, 1.0).to(diagonal)

"""The time-derivative coupling T_ij = ⟨i|∂_t j⟩ = v·d_ij, with d_ij = h_ij/(E_j − E_i)."""

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch


def time_derivative_coupling(batch: TrajectoryBatch) -> Float64[Tensor, "traj state state"]:
    """T of a batch from its velocities and couplings, antisymmetric, inverse atomic units of time.

    It grows without bound where two energies meet, and is set to zero where they are the same
    number: neither sign nor size of d means anything there.
    """
    states = batch.energies.shape[1]
    first, second = torch.triu_indices(states, states, offset=1, device=batch.energies.device)
    gap = batch.energies[:, second] - batch.energies[:, first]
    along = (batch.velocities[:, None] * batch.couplings).flatten(2).sum(2)
    defined = gap != 0
    upper = torch.where(defined, along / torch.where(defined, gap, 1.0), 0.0)
    return antisymmetric(upper, states=states)


def antisymmetric(
    upper: Float64[Tensor, "*batch pair"], *, states: int
) -> Float64[Tensor, "*batch state state"]:
    """Matrix with ``upper`` above its diagonal (pairs 01, 02, 12, …) and its negative below."""
    first, second = torch.triu_indices(states, states, offset=1, device=upper.device)
    matrix = upper.new_zeros(*upper.shape[:-1], states, states)
    matrix[..., first, second] = upper
    matrix[..., second, first] = -upper
    return matrix

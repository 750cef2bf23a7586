"""Where the spheres of a trajectory start: on the upper hemispheres, drawn with their weight.

The density is p(S_z) = 2 S_z, uniform in the azimuth, for each sphere on its own
(:mod:`namd.dynamics.hopping.unsmash` says why).
"""

from math import pi

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.electronic.pairs import pair_batch
from namd.dynamics.gauge import signs_of_overlap
from namd.dynamics.random_numbers import uniform
from namd.random import Stream


def draw_spheres(batch: TrajectoryBatch, *, seed: int) -> Float64[Tensor, "traj state 3"]:
    """S^(a,b) in row b, and (0, 0, 1) in the row of the active state a.

    Parameters
    ----------
    batch
        Trajectories at step 0; identity, seed and state decide on a sphere.
    seed
        Of the run.
    """
    spheres = []
    for state in range(batch.energies.shape[1]):
        draws = (torch.full_like(batch.trajectory_id, 2 * state + k) for k in range(2))
        height, azimuth = (
            uniform(batch.trajectory_id, draw, seed=seed, stream=Stream.SPHERE) for draw in draws
        )
        radius, angle = (1.0 - height).sqrt() * _sign_of_pair(batch, state), 2.0 * pi * azimuth
        spheres.append(torch.stack((radius * angle.cos(), radius * angle.sin(), height.sqrt()), 1))
    return with_pole(torch.stack(spheres, 1), batch.active_state)


def with_pole(
    spheres: Float64[Tensor, "traj state 3"], active: Int64[Tensor, " traj"]
) -> Float64[Tensor, "traj state 3"]:
    """Spheres with (0, 0, 1) in the row of the active state, which is no pair."""
    own = torch.nn.functional.one_hot(active, spheres.shape[1])[:, :, None] > 0
    pole = torch.cat((torch.zeros_like(spheres[..., :2]), torch.ones_like(spheres[..., 2:])), 2)
    return torch.where(own, pole, spheres)


def _sign_of_pair(batch: TrajectoryBatch, other: int) -> Float64[Tensor, " traj"]:
    """±1 that changes with the sign of the active or of the other state.

    It is the sign of v·h_ab where couplings are known, else that of the largest components of both
    eigenvectors. The azimuth of a sphere is counted from it, so that one random number is one
    sphere, whatever signs an eigensolver has chosen; the distribution is the same without.
    """
    active = batch.active_state[:, None]
    pair = torch.cat((active, torch.full_like(active, other)), 1)
    if batch.couplings.shape[1]:
        coupling = pair_batch(batch, pair[:, None]).couplings[:, 0]
        return signs_of_overlap((batch.velocities * coupling).sum((1, 2))[:, None])[:, 0]
    if not batch.eigenvectors.shape[1]:  # a single state, which is no pair
        return torch.ones_like(batch.energies[:, 0])
    largest = batch.eigenvectors.abs().argmax(1, keepdim=True)
    signs = signs_of_overlap(batch.eigenvectors.gather(1, largest).squeeze(1))
    return signs.gather(1, pair).prod(1)

"""Momentum change along the interstate coupling h_ab, the direction semiclassics asks for.

Where two states do not couple at all (they differ in symmetry, or a parameter is zero), h is 0 and
has no direction, and yet a trajectory passes from the one to the other where their energies cross.
The direction of a coupling that goes to zero there is that of the gradient difference, which stands
in for it.

Reference: M. F. Herman, J. Chem. Phys. 81 (1984) 754, DOI 10.1063/1.447708.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.dynamics.momentum.protocol import MomentumRescaling
from namd.potentials.protocol import Potential


@dataclass(frozen=True)
class AlongCoupling(MomentumRescaling):
    """D = h_ab = ⟨a|∇H|b⟩, parallel to the derivative coupling and finite where that is not."""

    def direction(
        self,
        potential: Potential,
        positions: Float64[Tensor, "traj atom 3"],
        velocities: Float64[Tensor, "traj atom 3"],  # noqa: ARG002  (protocol)
        *,
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """Coupling of the pair at ``positions``, Hartree/Bohr."""
        return potential.coupling(positions, first, second)

    def completed(
        self,
        direction: Float64[Tensor, "traj atom 3"],
        *,
        difference: Float64[Tensor, "traj atom 3"],
        positions: Float64[Tensor, "traj atom 3"],  # noqa: ARG002  (protocol)
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
    ) -> Float64[Tensor, "traj atom 3"]:
        """The gradient difference where the coupling is exactly zero."""
        return or_else(direction, difference)


def or_else(
    direction: Float64[Tensor, "traj atom 3"], other: Float64[Tensor, "traj atom 3"]
) -> Float64[Tensor, "traj atom 3"]:
    """Take ``other`` for the trajectories of which every component of ``direction`` is 0."""
    vanishes = (direction == 0).flatten(1).all(1)
    return torch.where(vanishes[:, None, None], other, direction)

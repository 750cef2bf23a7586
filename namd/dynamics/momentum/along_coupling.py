"""Momentum change along the interstate coupling h_ab, the direction semiclassics asks for.

Reference: M. F. Herman, J. Chem. Phys. 81 (1984) 754, DOI 10.1063/1.447708.
"""

from dataclasses import dataclass

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

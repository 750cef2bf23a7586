"""Momentum change along the difference of the two gradients.

The best direction where there is no coupling vector: at a conical intersection it spans, together
with the coupling, the plane in which the degeneracy is lifted.

Reference: J. M. Toldo, R. S. Mattos, M. Pinheiro Jr, S. Mukherjee, M. Barbatti,
J. Chem. Theory Comput. 20 (2024) 614, DOI 10.1021/acs.jctc.3c01159.
"""

from dataclasses import dataclass

from jaxtyping import Float64, Int64
from torch import Tensor

from namd.dynamics.momentum.protocol import MomentumRescaling
from namd.potentials.protocol import Potential


@dataclass(frozen=True)
class AlongGradientDifference(MomentumRescaling):
    """D = ∇E_b − ∇E_a = F_a − F_b."""

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
        """Difference of the forces at ``positions``, Hartree/Bohr."""
        return potential.force(positions, first) - potential.force(positions, second)

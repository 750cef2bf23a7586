"""Momentum change along the momentum itself: all velocities scaled by one factor.

Needs no coupling vector, but lets a hop upwards draw on the whole kinetic energy: it is
size-inconsistent and frustrates too few hops in large molecules.

Reference: M. Barbatti, J. Chem. Theory Comput. 17 (2021) 3010, DOI 10.1021/acs.jctc.1c00012.
"""

from dataclasses import dataclass

from jaxtyping import Float64, Int64
from torch import Tensor

from namd.dynamics.momentum.protocol import MomentumRescaling
from namd.potentials.protocol import Potential


@dataclass(frozen=True)
class AlongVelocity(MomentumRescaling):
    """D = M v, which makes the general formula v' = v √(1 + (E_a − E_b)/E_kin)."""

    def direction(
        self,
        potential: Potential,  # noqa: ARG002  (protocol)
        positions: Float64[Tensor, "traj atom 3"],  # noqa: ARG002
        velocities: Float64[Tensor, "traj atom 3"],
        *,
        masses: Float64[Tensor, " atom"],
        first: Int64[Tensor, " traj"],  # noqa: ARG002
        second: Int64[Tensor, " traj"],  # noqa: ARG002
    ) -> Float64[Tensor, "traj atom 3"]:
        """Momenta M v."""
        return masses[:, None] * velocities

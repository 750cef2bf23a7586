"""What a refused hop does to the velocities: nothing, or a reflection along D."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor


@dataclass(frozen=True)
class Keep:
    """Leave the velocities as they are.

    Reference: U. Müller, G. Stock, J. Chem. Phys. 107 (1997) 6230, DOI 10.1063/1.474288.
    """

    def velocities(
        self,
        velocities: Float64[Tensor, "traj atom 3"],
        direction: Float64[Tensor, "traj atom 3"],  # noqa: ARG002  (protocol)
        *,
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
        target_force: Float64[Tensor, "traj atom 3"],  # noqa: ARG002
    ) -> Float64[Tensor, "traj atom 3"]:
        """Unchanged velocities."""
        return velocities


@dataclass(frozen=True)
class Reverse:
    """Reverse the component of the momentum along D: v' = v − 2 (v·D)/(D·M⁻¹D) M⁻¹D.

    The masses make it an elastic reflection: the kinetic energy is conserved.

    Reference: S. Hammes-Schiffer, J. C. Tully, J. Chem. Phys. 101 (1994) 4657,
    DOI 10.1063/1.467455.
    """

    def velocities(
        self,
        velocities: Float64[Tensor, "traj atom 3"],
        direction: Float64[Tensor, "traj atom 3"],
        *,
        masses: Float64[Tensor, " atom"],
        target_force: Float64[Tensor, "traj atom 3"],  # noqa: ARG002  (protocol)
    ) -> Float64[Tensor, "traj atom 3"]:
        """Reflected velocities; unchanged where D vanishes."""
        change = direction / masses[:, None]
        length = (direction * change).sum((1, 2))
        along = (velocities * direction).sum((1, 2))
        defined = length > 0
        factor = torch.where(defined, 2.0 * along / torch.where(defined, length, 1.0), 0.0)
        return velocities - factor[:, None, None] * change

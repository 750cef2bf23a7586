"""Bare surface hopping: no decoherence correction.

Reference: J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Complex128, Float64, Int64
from torch import Tensor


@dataclass(frozen=True)
class NoDecoherence:
    """Leaves the amplitudes alone."""

    def damp(
        self,
        amplitudes: Complex128[Tensor, "traj state"],
        *,
        active_state: Int64[Tensor, " traj"],  # noqa: ARG002  (protocol)
        energies: Float64[Tensor, "traj state"],  # noqa: ARG002
        kinetic_energy: Float64[Tensor, " traj"],  # noqa: ARG002
        timestep: float,  # noqa: ARG002
        attempted: Bool[Tensor, " traj"],  # noqa: ARG002
        accepted: Bool[Tensor, " traj"],  # noqa: ARG002
    ) -> Complex128[Tensor, "traj state"]:
        """Unchanged amplitudes."""
        return amplitudes

    def describe(self) -> str:
        """Name of the correction."""
        return "none"

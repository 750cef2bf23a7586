"""What the step asks of a decoherence correction."""

from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Complex128, Float64, Int64
from torch import Tensor


@runtime_checkable
class Decoherence(Protocol):
    """Damps the amplitudes at the end of a step."""

    def damp(
        self,
        amplitudes: Complex128[Tensor, "traj state"],
        *,
        active_state: Int64[Tensor, " traj"],
        energies: Float64[Tensor, "traj state"],
        kinetic_energy: Float64[Tensor, " traj"],
        timestep: float,
        attempted: Bool[Tensor, " traj"],
        accepted: Bool[Tensor, " traj"],
    ) -> Complex128[Tensor, "traj state"]:
        """Amplitudes after the correction.

        Parameters
        ----------
        amplitudes
            c after propagation.
        active_state, kinetic_energy
            After the hop of this step, if there was one.
        energies
            E_k, Hartree.
        timestep
            dt, atomic units.
        attempted, accepted
            Whether a hop was tried in this step, and whether it was made.
        """
        ...

    def describe(self) -> str:
        """Name, constants and convention, written into every file a run makes."""
        ...

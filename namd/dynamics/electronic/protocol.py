"""What the step asks of a method that propagates amplitudes."""

from typing import Protocol, runtime_checkable

from jaxtyping import Complex128, Float64
from torch import Tensor


@runtime_checkable
class ElectronicPropagation(Protocol):
    """Gives the propagator 𝓡 of the amplitudes over one nuclear step."""

    def propagator(
        self,
        energies_before: Float64[Tensor, "traj state"],
        energies_after: Float64[Tensor, "traj state"],
        *,
        overlap: Float64[Tensor, "traj state state"],
        timestep: float,
    ) -> Complex128[Tensor, "traj state state"]:
        """𝓡 with c(t+dt) = 𝓡 c(t), from the basis of t to the basis of t + dt.

        Parameters
        ----------
        energies_before, energies_after
            Adiabatic energies at t and t + dt, Hartree.
        overlap
            S_ij = ⟨φ_i(t)|φ_j(t+dt)⟩, with whatever signs the eigenvectors have.
        timestep
            dt, atomic units.
        """
        ...

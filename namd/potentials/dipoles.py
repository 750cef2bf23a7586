"""Transition dipoles of potentials that have them.

These are diabatic models with a constant dipole matrix, and whatever has the two members of
:class:`DipolePotential`, as networks trained on dipoles.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.protocol import Potential


@runtime_checkable
class DipolePotential(Protocol):
    """A potential that may have transition dipoles of its own."""

    @property
    def has_dipoles(self) -> bool:
        """Whether it has."""
        ...

    def energies_and_dipoles(
        self, positions: Float[Tensor, "traj atom 3"]
    ) -> tuple[Float64[Tensor, "traj state"], Float64[Tensor, "traj pair 3"]]:
        """Energies (Hartree) and transition dipoles (e·Bohr), the latter in one gauge."""
        ...


def has_dipoles(potential: Potential) -> bool:
    """Whether :func:`energies_and_dipoles` gives dipoles of this potential."""
    if isinstance(potential, DipolePotential):
        return potential.has_dipoles
    return isinstance(potential, DiabaticPotential) and potential.dipoles is not None


def energies_and_dipoles(
    potential: Potential, positions: Float[Tensor, "traj atom 3"]
) -> tuple[Float64[Tensor, "traj state"], Float64[Tensor, "traj pair 3"] | None]:
    """Adiabatic energies (Hartree) and, where there are any, transition dipoles (e·Bohr).

    In a diabatic model whose basis does not change with the geometry the dipole matrix μ is
    constant (Condon) and ⟨i|μ|j⟩ = u_iᵀ μ u_j: it depends on the geometry through the mixing alone.

    Parameters
    ----------
    potential
        Any.
    positions
        Bohr.
    """
    if isinstance(potential, DipolePotential) and potential.has_dipoles:
        return potential.energies_and_dipoles(positions)
    ground = torch.zeros(len(positions), dtype=torch.int64, device=positions.device)
    surfaces = potential.surfaces(positions, ground)
    if not isinstance(potential, DiabaticPotential) or potential.dipoles is None:
        return surfaces.energies, None
    vectors = surfaces.eigenvectors
    adiabatic = torch.einsum("tdi,dex,tej->tijx", vectors, potential.dipoles.to(positions), vectors)
    first, second = (
        zip(*potential.states.pairs, strict=True) if potential.states.pairs else ((), ())
    )
    return surfaces.energies, adiabatic[:, list(first), list(second)]

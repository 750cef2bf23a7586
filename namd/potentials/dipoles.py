"""Transition dipoles of potentials that have them: diabatic models with a dipole matrix."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.protocol import Potential


def has_dipoles(potential: Potential) -> bool:
    """Whether :func:`energies_and_dipoles` gives dipoles of this potential."""
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

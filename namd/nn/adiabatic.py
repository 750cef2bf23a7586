"""Adiabatic energies, forces and couplings from a quasi-diabatic matrix and its gradient.

    W u_k = E_k u_k,   F_k = −u_kᵀ(∇W)u_k,   h_ij = u_iᵀ(∇W)u_j,   d_ij = h_ij / (E_j − E_i)

Heads with a field of their own add a symmetric matrix to ∇W, with no diagonal elements between
eigenvectors: the commutator [τ, W] of the residual, or the couplings C of a direct head
(:func:`learned_coupling`).

Cusps, the 1/gap singularity, the geometric phase and the consistency of energies, forces and
couplings are exact by construction; the eigensolver is never differentiated for a force
(Hellmann–Feynman). Only training, which needs how forces change with the weights, differentiates
the eigenvectors.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

# Below this predicted gap (Hartree) eigenvectors are held fixed in training: their derivative
# is 1/gap and says nothing there. About 3 meV.
_FIXED_VECTORS_GAP = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Adiabatic:
    """Everything the loss and the tests compare, atomic units."""

    energies: Float[Tensor, "molecule state"]
    forces: Float[Tensor, "molecule state atom 3"]
    interstate_coupling: Float[Tensor, "molecule pair atom 3"]
    transition_dipoles: Float[Tensor, "molecule pair 3"] | None = None


def learned_coupling(
    fields: Float[Tensor, "molecule diabat diabat atom 3"],
    matrix: Float[Tensor, "molecule diabat diabat"],
    *,
    direct: bool,
    scale: Tensor,
) -> Float[Tensor, "molecule diabat diabat atom 3"]:
    """What a head adds to ∇W, Hartree/Bohr, float64.

    Parameters
    ----------
    fields
        C in units of ``scale`` per Bohr, or τ in 1/Bohr.
    matrix
        W in Hartree.
    direct
        Whether the fields are couplings C; else [τ, W] is made of them.
    scale
        Hartree.
    """
    fields, matrix = fields.double(), matrix.double()
    if direct:
        return fields * scale
    left = torch.einsum("bklax,blm->bkmax", fields, matrix)
    # (τW)ᵀ = −Wτ for antisymmetric τ and symmetric W.
    return left + left.transpose(1, 2)


def adiabatic_dipoles(
    dipoles: Float[Tensor, "molecule diabat diabat 3"],
    vectors: Float64[Tensor, "molecule diabat state"],
) -> Float64[Tensor, "molecule pair 3"]:
    """Transition dipoles u_iᵀ μ u_j of all pairs i < j, in the gauge of the eigenvectors."""
    states = vectors.shape[-1]
    rotated = torch.einsum("bki,bklx,blj->bijx", vectors, dipoles.double(), vectors)
    first, second = torch.triu_indices(states, states, offset=1)
    return rotated[:, first, second]


def matrix_gradient(
    matrix: Float[Tensor, "molecule diabat diabat"],
    positions: Float[Tensor, "molecule atom 3"],
    *,
    create_graph: bool = False,
    diagonal: bool = False,
) -> Float[Tensor, "molecule diabat diabat atom 3"]:
    """∇W by one vector–Jacobian product per independent element; ``diagonal``: W has no others."""
    diabats = matrix.shape[-1]
    rows: dict[tuple[int, int], Tensor] = {}
    for k in range(diabats):
        for l in range(k, diabats):
            if diagonal and k != l:
                rows[k, l] = torch.zeros_like(positions)
                continue
            (gradient,) = torch.autograd.grad(
                matrix[:, k, l].sum(),
                positions,
                create_graph=create_graph,
                retain_graph=True,
                allow_unused=True,
            )
            rows[k, l] = torch.zeros_like(positions) if gradient is None else gradient
    grid = [
        torch.stack([rows[min(k, l), max(k, l)] for l in range(diabats)], dim=1)
        for k in range(diabats)
    ]
    return torch.stack(grid, dim=1)


def eigenvectors(
    matrix: Float64[Tensor, "molecule diabat diabat"],
) -> tuple[Float64[Tensor, "molecule diabat"], Float64[Tensor, "molecule diabat diabat"]]:
    """Energies and eigenvectors (columns) of W, differentiable where that means something."""
    energies, vectors = torch.linalg.eigh(matrix)
    if vectors.requires_grad and matrix.shape[-1] > 1:
        narrow = energies.diff(dim=-1).min(-1).values < _FIXED_VECTORS_GAP
        vectors = torch.where(narrow[:, None, None], vectors.detach(), vectors)
    return energies, vectors


def adiabatic(
    matrix: Float[Tensor, "molecule diabat diabat"],
    gradient: Float[Tensor, "molecule diabat diabat atom 3"],
    *,
    states: int,
    dipoles: Float[Tensor, "molecule diabat diabat 3"] | None = None,
) -> Adiabatic:
    """Rotate W, ∇W and, if given, μ into the lowest ``states`` adiabatic states (float64)."""
    energies, vectors = eigenvectors(matrix.double())
    vectors = vectors[..., :states]
    rotated = torch.einsum("bki,bklax,blj->bijax", vectors, gradient.double(), vectors)
    first, second = torch.triu_indices(states, states, offset=1)
    return Adiabatic(
        energies=energies[:, :states],
        forces=-rotated.diagonal(dim1=1, dim2=2).movedim(-1, 1),
        interstate_coupling=rotated[:, first, second],
        transition_dipoles=None if dipoles is None else adiabatic_dipoles(dipoles, vectors),
    )

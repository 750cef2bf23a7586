"""The loss on the method's own diabatic matrix, where the labels carry it.

Some methods (SSR, valence bond, constrained density functionals) make their states from a matrix W
in a basis of their own. With its eigenvectors, U = eig(W), forces and couplings give its gradient,

    ∇W = U G Uᵀ,   G_ii = −F_i,   G_ij = h_ij,

smooth where energies have cusps and h turns in femtoseconds. The network's W and ∇W are compared
with these, element by element. What labels leave open is the sign of each diabat and, where h was
not stored in the gauge of the eigenvectors, of each state: both are chosen jointly for a molecule,
as the pair that fits best of W (eV) and ∇W (eV/Å) in the least squares.

The terms stand where those of :mod:`namd.train.loss` do, with the same distances and weights:
energy W_kk; gap (W_ll − W_kk, 2 W_kl) of every pair, a bound of the error of the gap; force ∇W_kk;
coupling ∇W_kl. Nothing is degenerate here: small gaps need no other form.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from namd.config.training import LossWeights
from namd.train.loss import LossTerms, emphasis, norm_huber, pseudo_huber, sign_vectors, weighted
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE


def known_matrices(
    *,
    matrix: Float[Tensor, "molecule diabat diabat"],
    forces: Float[Tensor, "molecule state atom 3"],
    coupling: Float[Tensor, "molecule pair atom 3"],
) -> Bool[Tensor, " molecule"]:
    """Whether W and all that ∇W is made of are known (not NaN) of each molecule."""
    return (
        torch.isfinite(matrix).flatten(1).all(1)
        & torch.isfinite(forces).flatten(1).all(1)
        & torch.isfinite(coupling).flatten(1).all(1)
    )


def reference_gradients(
    matrix: Float[Tensor, "molecule state state"],
    *,
    forces: Float[Tensor, "molecule state atom 3"],
    coupling: Float[Tensor, "molecule pair atom 3"],
) -> Float[Tensor, "gauge molecule state state atom 3"]:
    """∇W = U G Uᵀ for every choice of the signs of the states in h; atomic units."""
    states = forces.shape[1]
    vectors = torch.linalg.eigh(matrix)[1]
    first, second = torch.triu_indices(states, states, offset=1, device=forces.device)
    signs = sign_vectors(states).to(forces)
    turned = coupling * (signs[:, first] * signs[:, second])[:, None, :, None, None]
    adiabatic = forces.new_zeros(len(signs), len(forces), states, *forces.shape[1:])
    own = torch.arange(states, device=forces.device)
    adiabatic[:, :, own, own] = -forces
    adiabatic[:, :, first, second] = turned
    adiabatic[:, :, second, first] = turned
    return torch.einsum("bki,sbijax,blj->sbklax", vectors, adiabatic, vectors)


def diabatic_loss(
    matrix: Float[Tensor, "molecule state state"],
    gradient: Float[Tensor, "molecule state state atom 3"],
    *,
    reference: Float[Tensor, "molecule state state"],
    forces: Float[Tensor, "molecule state atom 3"],
    coupling: Float[Tensor, "molecule pair atom 3"],
    weights: LossWeights,
    late: bool,
) -> LossTerms:
    """Loss of a batch of molecules whose diabatic matrix is known; two states or more.

    Parameters
    ----------
    matrix, gradient
        The network's W (Hartree) and ∇W (Hartree/Bohr), as many diabats as states.
    reference
        The method's W, Hartree.
    forces, coupling
        Its F_k and h_ij, Hartree/Bohr, of which ∇W is made.
    weights, late
        As in :func:`namd.train.loss.multistate_loss`.
    """
    states = forces.shape[1]
    gradients = reference_gradients(reference, forces=forces, coupling=coupling)
    signs = sign_vectors(states).to(reference)
    flips = signs[:, :, None] * signs[:, None, :]
    candidates = flips[:, None] * reference
    slopes = flips[:, None, None, :, :, None, None] * gradients
    with torch.no_grad():
        far = ((matrix - candidates) * EV_PER_HARTREE).square().flatten(2).sum(2)
        steep = (gradient - slopes) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
        distance = far[:, None] + steep.square().flatten(3).sum(3)
        gauges = len(signs)
        best = distance.flatten(0, 1).argmin(0)
    rows = torch.arange(len(matrix), device=matrix.device)
    error = (matrix - candidates[best // gauges, rows]) * EV_PER_HARTREE
    slope_error = gradient - slopes[best // gauges, best % gauges, rows]
    slope_rows = norm_huber(
        slope_error * EV_PER_ANGSTROM_PER_ATOMIC_FORCE, weights.force_delta_ev_per_angstrom
    )

    first, second = torch.triu_indices(states, states, offset=1, device=matrix.device)
    diagonal = error.diagonal(dim1=1, dim2=2)
    apart = diagonal[:, second] - diagonal[:, first]
    delta = weights.energy_delta_ev
    squares = apart.square() + 4.0 * error[:, first, second].square()
    smallest = torch.linalg.eigvalsh(reference).diff(dim=1).min(1).values * EV_PER_HARTREE
    emphasised = emphasis(smallest, weights)[:, None]
    return weighted(
        weights,
        late=late,
        energy=pseudo_huber(diagonal, delta).mean(),
        gap=(emphasised * ((squares + delta * delta).sqrt() - delta)).mean(),
        force=slope_rows.diagonal(dim1=1, dim2=2).mean(),
        coupling=(emphasised * slope_rows[:, first, second]).mean(),
    )

"""The loss of transition dipoles, in the gauge of the couplings.

μ_ij = ⟨i|μ|j⟩ turns its sign with each of its states, as h_ij does. The network's W has one smooth
gauge, in which both must be smooth; so the signs of a molecule are chosen jointly, as those that
maximise

    Σ_{i<j} s_i s_j [2 cos(h_ij, h_ij^ref) + cos(μ_ij, μ_ij^ref)].

Couplings decide as soon as they are half learned (cosines above 1/2). Before, they know no sign,
and dipoles that followed them would be pulled to zero. Pairs with a nearly degenerate state are
left out: their dipoles are mixtures that mean nothing alone.

    ρ(|μ_ij − s_i s_j μ_ij^ref|), pseudo-Huber, mean over frames and pairs; e·Bohr
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from namd.config.training import LossWeights
from namd.nn.adiabatic import Adiabatic
from namd.train.loss import norm_huber, sign_vectors
from namd.units import EV_PER_HARTREE


def joint_pair_signs(
    predicted: Adiabatic,
    *,
    coupling: Float[Tensor, "molecule pair atom 3"],
    dipoles: Float[Tensor, "molecule pair 3"],
) -> Float[Tensor, "molecule pair"]:
    """s_i s_j of the signs that fit couplings and dipoles best; unknown ones (NaN) say nothing."""
    ours = predicted.transition_dipoles
    states = predicted.energies.shape[1]
    score = 2.0 * _cosine(predicted.interstate_coupling.flatten(2), coupling.flatten(2))
    if ours is not None:
        score = score + _cosine(ours, dipoles)
    first, second = torch.triu_indices(states, states, offset=1, device=score.device)
    signs = sign_vectors(states).to(score)
    pair_signs = signs[:, first] * signs[:, second]
    return pair_signs[(score @ pair_signs.T).argmax(dim=1)]


def _cosine(
    ours: Float[Tensor, "molecule pair component"], theirs: Float[Tensor, "molecule pair component"]
) -> Float[Tensor, "molecule pair"]:
    cosine = torch.nn.functional.cosine_similarity(ours.detach(), theirs, dim=2)
    return torch.nan_to_num(cosine)


def told_pairs(
    energies: Float[Tensor, "molecule state"],
    dipoles: Float[Tensor, "molecule pair 3"],
    *,
    degenerate_gap_ev: float,
) -> Bool[Tensor, "molecule pair"]:
    """Whether a dipole is known (not NaN) and its two states are degenerate with no neighbour."""
    states = energies.shape[1]
    first, second = torch.triu_indices(states, states, offset=1, device=energies.device)
    close = energies.diff(dim=1) * EV_PER_HARTREE < degenerate_gap_ev
    mixed = torch.nn.functional.pad(close, (0, 1)) | torch.nn.functional.pad(close, (1, 0))
    return torch.isfinite(dipoles).all(-1) & ~(mixed[:, first] | mixed[:, second])


def dipole_loss(
    predicted: Adiabatic,
    *,
    energies: Float[Tensor, "molecule state"],
    coupling: Float[Tensor, "molecule pair atom 3"],
    dipoles: Float[Tensor, "molecule pair 3"],
    weights: LossWeights,
) -> Float[Tensor, " molecule"]:
    """Loss of each molecule's transition dipoles; zero where none is told or learned.

    Parameters
    ----------
    predicted
        Of the network.
    energies, coupling, dipoles
        Labels, atomic units; h_ij and μ_ij with the same signs of the states.
    weights
        Scale of the distance, and the gap of nearly degenerate states.
    """
    ours = predicted.transition_dipoles
    if ours is None or ours.shape[1] == 0:
        return energies.new_zeros(len(energies))
    told = told_pairs(energies, dipoles, degenerate_gap_ev=weights.degenerate_gap_ev)
    signs = joint_pair_signs(predicted, coupling=coupling, dipoles=dipoles)
    theirs = torch.where(told[..., None], signs[..., None] * dipoles, ours.detach())
    rows = norm_huber((ours - theirs)[..., None, :], weights.dipole_delta_e_bohr)
    return (rows * told).mean(1)

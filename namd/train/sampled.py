"""The loss of one randomly drawn derivative per frame: an unbiased estimate at a third of the cost.

For two states a frame has three derivative fields, F_0, F_1 and h_01. Each step draws one of them
per frame, c ∈ {F_0, F_1, h}, with equal probability; its field is a single vector–Jacobian product
of W, with the cotangent −u_k u_kᵀ or (u_0 u_1ᵀ + u_1 u_0ᵀ)/2. Energies and gaps are exact in every
step. The expectation over the draw is the full loss of :mod:`namd.train.loss`, but for frames where
the pair is nearly degenerate: there no single derivative is meaningful on its own but the mean
force, cotangent −(u_0 u_0ᵀ + u_1 u_1ᵀ)/2, which is drawn always. What the full loss also learns
of such a frame, the plane that half the difference of the forces and h span, is left out.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from namd.config.training import LossWeights
from namd.nn.adiabatic import Adiabatic, adiabatic_dipoles, eigenvectors
from namd.nn.model import DiabaticModel
from namd.train.dipole_loss import dipole_loss
from namd.train.loss import (
    LossTerms,
    emphasis,
    norm_huber,
    pseudo_huber,
    weighted,
    with_dipoles,
)
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

_COUPLING, _MEAN = 2, 3


def sampled_loss(
    model: DiabaticModel,
    *,
    positions: Float[Tensor, "molecule atom 3"],
    energies: Float[Tensor, "molecule 2"],
    forces: Float[Tensor, "molecule 2 atom 3"],
    coupling: Float[Tensor, "molecule 1 atom 3"],
    draw: Int[Tensor, " molecule"],
    weights: LossWeights,
    late: bool,
    dipoles: Float[Tensor, "molecule 1 3"] | None = None,
) -> LossTerms:
    """Loss of a batch with one derivative field per molecule.

    Parameters
    ----------
    model
        The model in training; two states, any number of diabats.
    positions, energies, forces, coupling
        Labels, atomic units.
    draw
        0 or 1 for the force of that state, 2 for the coupling.
    weights, late
        As in :func:`namd.train.loss.multistate_loss`.
    dipoles
        Transition dipoles, if there are any. They are learned where the coupling is drawn, for both
        tell their signs together.
    """
    moving = positions.to(model.dtype).requires_grad_()
    prediction = model.network.evaluate(moving, dipoles=dipoles is not None)
    raw, matrix = prediction.matrix, model.in_hartree(prediction.matrix)
    predicted, vectors = eigenvectors(matrix)
    gap_ev = (energies[:, 1] - energies[:, 0]) * EV_PER_HARTREE
    draw = torch.where(gap_ev < weights.degenerate_gap_ev, _MEAN, draw)

    outer = torch.einsum("bki,blj->bijkl", vectors[..., :2], vectors[..., :2])
    choices = torch.stack(
        [
            -outer[:, 0, 0],
            -outer[:, 1, 1],
            0.5 * (outer[:, 0, 1] + outer[:, 1, 0]),
            -0.5 * (outer[:, 0, 0] + outer[:, 1, 1]),
        ],
        dim=1,
    )
    rows = torch.arange(len(draw), device=draw.device)
    drawn = choices[rows, draw]
    cotangent = (drawn * model.scale).to(raw.dtype)
    (field,) = torch.autograd.grad(raw, moving, cotangent, create_graph=True)
    field = field.double()
    learned = model.learned_coupling(prediction)
    if learned is not None:
        field = field + torch.einsum("bkl,bklax->bax", drawn, learned)

    references = torch.stack([forces[:, 0], forces[:, 1], coupling[:, 0], forces.mean(1)], dim=1)
    reference = references[rows, draw]
    is_coupling = draw == _COUPLING
    sign = torch.sign((field.detach() * reference).sum((-1, -2)))
    sign = torch.where(is_coupling & (sign < 0), -1.0, 1.0)
    error = (field - sign[:, None, None] * reference) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    distance = norm_huber(error, weights.force_delta_ev_per_angstrom)
    # Each field is drawn with probability 1/3; the force term of the full loss is the mean of two.
    emphasised = emphasis(gap_ev, weights)
    force = (distance * torch.where(draw == _MEAN, 1.0, torch.where(is_coupling, 0.0, 1.5))).mean()
    coupled = (distance * emphasised * torch.where(is_coupling, 3.0, 0.0)).mean()

    energy_error = (predicted[:, :2] - energies) * EV_PER_HARTREE
    energy = pseudo_huber(energy_error, weights.energy_delta_ev).mean()
    gap_error = energy_error[:, 1] - energy_error[:, 0]
    gap = (emphasised * pseudo_huber(gap_error, weights.energy_delta_ev)).mean()
    terms = weighted(weights, late=late, energy=energy, gap=gap, force=force, coupling=coupled)
    if dipoles is None or prediction.dipoles is None:
        return terms
    states = Adiabatic(
        energies=predicted,
        forces=torch.zeros_like(forces),
        interstate_coupling=field.detach()[:, None],
        transition_dipoles=adiabatic_dipoles(prediction.dipoles, vectors[..., :2]),
    )
    dipole = dipole_loss(
        states, energies=energies, coupling=coupling, dipoles=dipoles, weights=weights
    )
    return with_dipoles(terms, (dipole * torch.where(is_coupling, 3.0, 0.0)).mean(), weights)

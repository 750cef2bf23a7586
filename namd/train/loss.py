"""The gauge-free multi-state loss on energies, gaps, forces and interstate couplings.

Every term is in eV or eV/Å and uses a pseudo-Huber distance ρ(x) = √(x² + δ²) − δ, quadratic below
δ and linear above, so that a few bad labels do not steer the fit.

Couplings have one free sign per state. With s_0 = +1 the other signs are chosen *jointly* for a
molecule as those that fit best, min over s of Σ_{i<j} |h_ij − s_i s_j h_ij^ref|²: never per pair,
never per component. The target is h_ij = d_ij (E_j − E_i), finite at an intersection, never d.

Near an intersection only what a rotation of the pair leaves alone is meaningful. With
g = (F_i − F_j)/2, h = h_ij and z = g + ih, a rotation by θ maps z → z e^{∓2iθ}; below
``degenerate_gap`` the pair's forces and coupling are therefore compared through
|z|² + |z_ref|² − 2 max(|⟨z, z_ref⟩|, |⟨z̄, z_ref⟩|) and the mean force. The couplings of the pair
to a third state m turn into each other in the same way, y = h_im + i h_jm → y e^{±iθ}, and are
compared through the same distance. The switch is hard because it depends on the labelled gap alone:
every frame has one of the two forms for good, and the loss stays a smooth function of the weights.
Where no rotation brings z nearer to its reference both forms measure the same distance.
"""

from dataclasses import dataclass, replace
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from namd.config.training import LossWeights
from namd.nn.adiabatic import Adiabatic
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE


@dataclass(frozen=True, slots=True, kw_only=True)
class LossTerms:
    """Weighted total and its parts, each a scalar tensor."""

    total: Tensor
    energy: Tensor
    gap: Tensor
    force: Tensor
    coupling: Tensor
    dipole: Tensor


def weighted(
    weights: LossWeights,
    *,
    late: bool,
    energy: Tensor,
    gap: Tensor,
    force: Tensor,
    coupling: Tensor,
) -> LossTerms:
    """w_F F + w_h h + f (w_E E + w_gap gap), with f above one in the late part of a training."""
    factor = weights.late_factor if late else 1.0
    total = (
        weights.force * force
        + weights.coupling * coupling
        + factor * (weights.energy * energy + weights.gap * gap)
    )
    return LossTerms(
        total=total,
        energy=energy,
        gap=gap,
        force=force,
        coupling=coupling,
        dipole=total.new_zeros(()),
    )


def with_dipoles(terms: LossTerms, dipole: Tensor, weights: LossWeights) -> LossTerms:
    """Add the term of transition dipoles."""
    return replace(terms, dipole=dipole, total=terms.total + weights.dipole * dipole)


def pseudo_huber(x: Float[Tensor, "*shape"], delta: float) -> Float[Tensor, "*shape"]:
    """√(x² + δ²) − δ."""
    return (x.square() + delta * delta).sqrt() - delta


def norm_huber(x: Float[Tensor, "*shape atom 3"], delta: float) -> Float[Tensor, "*shape"]:
    """Mean over atoms of the pseudo-Huber distance of their vectors."""
    return ((x.square().sum(-1) + delta * delta).sqrt() - delta).mean(-1)


def emphasis(gap_ev: Float[Tensor, "*shape"], weights: LossWeights) -> Float[Tensor, "*shape"]:
    """Weight 1 + w/(1 + (gap/gap₀)²) that makes small gaps count more."""
    return 1.0 + weights.small_gap / (1.0 + (gap_ev / weights.small_gap_ev).square())


def sign_vectors(states: int) -> Float[Tensor, "gauge state"]:
    """All 2^(states−1) sign choices with s_0 = +1."""
    count = 2 ** (states - 1)
    bits = (torch.arange(count)[:, None] >> torch.arange(states - 1)) & 1
    return torch.cat([torch.ones(count, 1), 1.0 - 2.0 * bits], dim=1).double()


def align_coupling(
    predicted: Float[Tensor, "molecule pair atom 3"],
    reference: Float[Tensor, "molecule pair atom 3"],
    *,
    states: int,
) -> Float[Tensor, "molecule pair atom 3"]:
    """The reference with the jointly best state signs for each molecule.

    Maximises Σ_{i<j} s_i s_j ⟨h_ij, h_ij^ref⟩, the same as the least squared distance.
    """
    first, second = torch.triu_indices(states, states, offset=1, device=predicted.device)
    signs = sign_vectors(states).to(predicted)
    pair_signs = signs[:, first] * signs[:, second]
    overlap = (predicted.detach() * reference).sum(dim=(-1, -2))
    best = (overlap @ pair_signs.T).argmax(dim=1)
    return reference * pair_signs[best][:, :, None, None]


def rotation_invariant_distance(
    g: Float[Tensor, "row atom 3"],
    h: Float[Tensor, "row atom 3"],
    g_reference: Float[Tensor, "row atom 3"],
    h_reference: Float[Tensor, "row atom 3"],
) -> Float[Tensor, " row"]:
    """Squared distance of z = g + ih to its reference, up to a rotation of the two states."""
    z = torch.complex(g, h).flatten(1)
    r = torch.complex(g_reference, h_reference).flatten(1)
    straight = (z.conj() * r).sum(1).abs()
    mirrored = (z * r).sum(1).abs()
    norms = z.abs().square().sum(1) + r.abs().square().sum(1)
    return norms - 2.0 * torch.maximum(straight, mirrored)


def multistate_loss(
    predicted: Adiabatic,
    *,
    energies: Float[Tensor, "molecule state"],
    forces: Float[Tensor, "molecule state atom 3"],
    coupling: Float[Tensor, "molecule pair atom 3"],
    weights: LossWeights,
    late: bool,
) -> LossTerms:
    """Loss of a batch; references in atomic units.

    Parameters
    ----------
    predicted
        Energies, forces, couplings of the network.
    energies, forces, coupling
        Reference E_k, F_k and h_ij (Hartree, Hartree/Bohr), signs of h arbitrary. Forces of some
        states may be unknown (NaN), as where only those of the active state were computed: they
        are left out of the mean.
    weights
        Weights and scales of the terms.
    late
        Whether the last part of the training has begun, in which energies and gaps count more.
    """
    states = energies.shape[1]
    force_unit = EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    energy_error = (predicted.energies - energies) * EV_PER_HARTREE
    energy = pseudo_huber(energy_error, weights.energy_delta_ev).mean()

    known = torch.isfinite(forces).all(-1).all(-1)
    forces = torch.where(known[..., None, None], forces, predicted.forces.detach())
    force_error = (predicted.forces - forces) * force_unit
    force_rows = norm_huber(force_error, weights.force_delta_ev_per_angstrom)
    zero = energy.new_zeros(())
    if states == 1:
        force = _mean_of_known(force_rows, known)
        return weighted(weights, late=late, energy=energy, gap=zero, force=force, coupling=zero)

    first, second = torch.triu_indices(states, states, offset=1, device=energies.device)
    gap = (energies[:, second] - energies[:, first]) * EV_PER_HARTREE
    gap_error = energy_error[:, second] - energy_error[:, first]
    emphasised = emphasis(gap, weights)
    gap_term = (emphasised * pseudo_huber(gap_error, weights.energy_delta_ev)).mean()

    adjacent = gap[:, second - first == 1] < weights.degenerate_gap_ev
    mixed = torch.nn.functional.pad(adjacent, (0, 1)) | torch.nn.functional.pad(adjacent, (1, 0))
    # Couplings of nearly degenerate states are arbitrary mixtures: they choose no signs.
    told = predicted.interstate_coupling * ~(mixed[:, first] | mixed[:, second])[..., None, None]
    aligned = align_coupling(told, coupling, states=states)
    coupling_error = (predicted.interstate_coupling - aligned) * force_unit
    coupling_rows = norm_huber(coupling_error, weights.force_delta_ev_per_angstrom)

    # Of a nearly degenerate pair with an unknown force nothing is left that is meaningful.
    lost = adjacent & ~(known[:, :-1] & known[:, 1:])
    pair_lost = torch.nn.functional.pad(lost, (0, 1)) | torch.nn.functional.pad(lost, (1, 0))
    coupling_rows = coupling_rows * ~(pair_lost[:, first] | pair_lost[:, second])
    adjacent = adjacent & ~lost
    if bool(adjacent.any()):
        force_rows, coupling_rows = _replace_degenerate(
            force_rows, coupling_rows, adjacent, predicted, forces, coupling, weights
        )
    force = _mean_of_known(force_rows, known)
    coupling_term = (emphasised * coupling_rows).mean()
    return weighted(
        weights, late=late, energy=energy, gap=gap_term, force=force, coupling=coupling_term
    )


def _mean_of_known(rows: Tensor, known: Tensor) -> Tensor:
    return (rows * known).sum() / known.sum().clamp_min(1)


def _replace_degenerate(  # noqa: PLR0917  (one caller)
    force_rows: Float[Tensor, "molecule state"],
    coupling_rows: Float[Tensor, "molecule pair"],
    adjacent: Tensor,
    predicted: Adiabatic,
    forces: Float[Tensor, "molecule state atom 3"],
    coupling: Float[Tensor, "molecule pair atom 3"],
    weights: LossWeights,
) -> tuple[Tensor, Tensor]:
    """Compare nearly degenerate neighbours (k, k+1) by what their rotation leaves alone."""
    states = forces.shape[1]
    unit = EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    delta = weights.force_delta_ev_per_angstrom
    number = {pair: n for n, pair in enumerate(combinations(range(states), 2))}
    force_rows, coupling_rows = force_rows.clone(), coupling_rows.clone()
    h, h_reference = predicted.interstate_coupling * unit, coupling * unit

    def distance(*parts: Tensor) -> Tensor:
        per_atom = rotation_invariant_distance(*parts).clamp_min(0.0) / forces.shape[2]
        return (per_atom + delta * delta).sqrt() - delta

    for k in range(states - 1):
        rows = adjacent[:, k]
        ours, theirs = predicted.forces[rows, k : k + 2] * unit, forces[rows, k : k + 2] * unit
        pair = number[k, k + 1]
        between = distance(
            (ours[:, 0] - ours[:, 1]) / 2,
            h[rows, pair],
            (theirs[:, 0] - theirs[:, 1]) / 2,
            h_reference[rows, pair],
        )
        mean = norm_huber(ours.mean(1) - theirs.mean(1), delta)
        force_rows[rows, k] = mean + 0.5 * between
        force_rows[rows, k + 1] = mean + 0.5 * between
        coupling_rows[rows, pair] = between
        for third in set(range(states)) - {k, k + 1}:
            one, two = (number[min(third, s), max(third, s)] for s in (k, k + 1))
            outside = distance(
                h[rows, one], h[rows, two], h_reference[rows, one], h_reference[rows, two]
            )
            coupling_rows[rows, one] = 0.5 * outside
            coupling_rows[rows, two] = 0.5 * outside
    return force_rows, coupling_rows

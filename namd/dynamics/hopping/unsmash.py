r"""Uncoupled spheres (unSMASH): hops that follow a sphere per pair of states, without chance.

Beside its active state a a trajectory carries one unit vector :math:`S^{(a,b)}` for every other
state b, which moves like the Bloch vector of those two states alone,

.. math::

    \dot S^{(a,b)} = (0,\; 2 v\cdot d_{ab},\; E_a - E_b) \times S^{(a,b)},

and hops to b when :math:`S_z^{(a,b)}` falls below zero. The velocity changes along the coupling;
where the kinetic energy along it does not suffice it is reversed along it, always, which turns
:math:`S_z` back at zero. There is no random number but the first, and no decoherence correction:
active state and sphere cannot disagree. Two states are the mapping approach to surface hopping
(MASH); systems that do not interact do not feel each other (size consistency).

**Start.** Expectation values of a pure adiabatic state a are averages over the upper hemispheres
weighted with :math:`\prod_b 2 S_z^{(a,b)}`. Here each :math:`S_z` is drawn *from* that density,
:math:`p(S_z) = 2 S_z` (:math:`S_z = \sqrt u`), with a uniform azimuth. The weight is a product of
normalised factors and positive, so that this is the same average with all weights one: populations
are plain fractions of trajectories by active state, with plain binomial errors, and so is all that
depends on the nuclei and the active state. Coherences, and starts in superpositions, would need
the other weights of the paper and are not offered. For two states and fixed nuclei the fraction is
the quantum population, exactly.

**Hop.** The sphere of the pair changes its first and second state,
:math:`S^{(b,a)} = (S_x, -S_y, -S_z)^{(a,b)}`; the others are passed on, :math:`S^{(b,c)} =
S^{(a,c)}`. As every state has a free sign that is to be read in the gauge in which
:math:`v\cdot d_{ab} > 0`, which is where :math:`S_x^{(a,b)} > 0` as :math:`S_z` falls through zero:
:math:`S_x` and :math:`S_y` are multiplied by the sign of :math:`S_x^{(a,b)}`. So no sign of a state
matters, a hop back undoes it, and a trivial crossing passes the spheres on unharmed.

**Steps.** The 2 × 2 propagator of each pair comes from the chosen propagation of amplitudes (local
diabatisation of its two columns by default). States are followed by their overlap, so that two that
change places within one step take their spheres along. A hop is made at the end of the step in
which :math:`S_z` became negative, the earliest crossing first. After a refused one :math:`S_z` is
mirrored, as it would have been by a reversal at the very moment of the crossing.

References
----------
J. E. Lawrence, J. R. Mannouch, J. O. Richardson, J. Chem. Phys. 160 (2024) 244112,
DOI 10.1063/5.0208575;
J. R. Mannouch, J. O. Richardson, J. Chem. Phys. 158 (2023) 104111, DOI 10.1063/5.0139734 (two
states).
"""

from dataclasses import dataclass, replace
from math import inf

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch, recall
from namd.dynamics.demands import Demanding
from namd.dynamics.electronic.pairs import follow_states, pair_batch, turn_spheres
from namd.dynamics.electronic.protocol import ElectronicPropagation
from namd.dynamics.gauge import signs_of_overlap
from namd.dynamics.hopping.protocol import SpheresTurned
from namd.dynamics.hopping.sphere_start import draw_spheres, with_pole
from namd.potentials.protocol import Needs

SPHERES = "spheres"
"""Name of the memory ``[traj, state, 3]``: S^(a,b) in row b; the row of a is (0, 0, 1)."""


@dataclass(frozen=True)
class UncoupledSpheres:
    """Deterministic hops of unSMASH."""

    def first_memory(self, batch: TrajectoryBatch, *, seed: int) -> Memory:
        """Spheres of every trajectory, drawn as the module docstring says."""
        return {SPHERES: draw_spheres(batch, seed=seed)}

    def turn(
        self,
        before: TrajectoryBatch,
        after: TrajectoryBatch,
        *,
        propagation: ElectronicPropagation,
        timestep: float,
    ) -> SpheresTurned:
        """Spheres at t + dt, still by the active state of t, and the state to hop to."""
        spheres = recall(before, SPHERES)
        followed = _followed(before, after, propagation)
        active = before.active_state[:, None]
        states = spheres.shape[1]
        if states == 1:
            return SpheresTurned(
                spheres=spheres, followed=followed, target=before.active_state, partner=active[:, 0]
            )
        places = torch.arange(states - 1, device=active.device)
        others = places + (places >= active)
        pairs = torch.stack((active.expand_as(others), others), 2)
        later = followed.gather(1, pairs.flatten(1)).view_as(pairs)
        earlier = pair_batch(before, pairs)
        aligned, signs = _aligned(earlier, pair_batch(after, later))
        made = propagation.propagate(earlier, aligned, timestep=timestep)
        index = others[:, :, None].expand(-1, -1, 3)
        turned = turn_spheres(spheres.gather(1, index).flatten(0, 1), made.propagator)
        turned = turned * torch.stack((signs, signs, torch.ones_like(signs)), 1)
        turned = spheres.scatter(1, index, turned.view(-1, states - 1, 3))
        partner = _first_to_cross(spheres[..., 2], turned[..., 2], before.active_state)
        return SpheresTurned(
            spheres=turned,
            followed=followed,
            partner=partner,
            target=followed.gather(1, partner[:, None]).squeeze(1),
        )

    def settle(
        self,
        turned: SpheresTurned,
        *,
        active_before: Int64[Tensor, " traj"],
        active_after: Int64[Tensor, " traj"],
        refused: Bool[Tensor, " traj"],
    ) -> Memory:
        """Spheres by the active state and in the labels of t + dt.

        Parameters
        ----------
        turned
            What :meth:`turn` returned.
        active_before, active_after
            Active state at t, and at t + dt after the hop if there was one.
        refused
            Whether a hop was tried and refused.
        """
        earlier = turned.followed.argsort(1)  # the state at t that each state at t + dt continues
        final = earlier.gather(1, active_after[:, None]).squeeze(1)
        spheres = hand_over(turned.spheres, active_before, final)
        asked = torch.nn.functional.one_hot(turned.partner, spheres.shape[1]) > 0
        mirror = refused[:, None] & asked & (spheres[..., 2] < 0)
        x, y, z = spheres.unbind(2)
        spheres = torch.stack((x, y, torch.where(mirror, -z, z)), 2)
        return {SPHERES: spheres.gather(1, earlier[:, :, None].expand(-1, -1, 3))}


def hand_over(
    spheres: Float64[Tensor, "traj state 3"],
    first: Int64[Tensor, " traj"],
    second: Int64[Tensor, " traj"],
) -> Float64[Tensor, "traj state 3"]:
    """Spheres of the second state as active one, from those of the first; a hop back undoes it.

    Parameters
    ----------
    spheres
        S^(a,b) in row b.
    first, second
        a and the state hopped to; where they are the same nothing changes, bit for bit.
    """
    link = spheres.gather(1, second[:, None, None].expand(-1, 1, 3))
    sign = torch.where(link[..., :1] < 0, -1.0, 1.0).to(spheres)
    keep = torch.ones_like(sign)
    passed = spheres * torch.cat((sign, sign, keep), 2)
    swapped = link * torch.cat((keep, -keep, -keep), 2)
    passed = passed.scatter(1, first[:, None, None].expand(-1, 1, 3), swapped)
    moved = (first != second)[:, None, None]
    return torch.where(moved, with_pole(passed, second), spheres)


def _followed(
    before: TrajectoryBatch, after: TrajectoryBatch, propagation: ElectronicPropagation
) -> Int64[Tensor, "traj state"]:
    """Continuations of the states: by overlap where the propagation goes by it, else by energy."""
    if isinstance(propagation, Demanding) and Needs.BASIS in propagation.needs:
        return follow_states(before.eigenvectors.mT @ after.eigenvectors)
    states = torch.arange(before.energies.shape[1], device=before.energies.device)
    return states.expand_as(before.energies)


def _aligned(
    before: TrajectoryBatch, after: TrajectoryBatch
) -> tuple[TrajectoryBatch, Float64[Tensor, " row"]]:
    """Pairs at t + dt with both states' signs continued, and the relative sign they had.

    States that have changed places do not continue the sign of the one they follow.
    """
    signs = signs_of_overlap((before.eigenvectors * after.eigenvectors).sum(1))
    relative = signs.prod(1)
    aligned = replace(
        after,
        eigenvectors=after.eigenvectors * signs[:, None],
        couplings=after.couplings * relative[:, None, None, None],
    )
    return aligned, relative


def _first_to_cross(
    before: Float64[Tensor, "traj state"],
    after: Float64[Tensor, "traj state"],
    active: Int64[Tensor, " traj"],
) -> Int64[Tensor, " traj"]:
    """State whose S_z fell below zero first within the step; the active one if none did."""
    crossed = after < 0
    share = (before / torch.where(crossed, before - after, 1.0)).clamp(min=0.0)
    share = torch.where(crossed, torch.where(before > 0, share, 0.0), inf)
    return torch.where(crossed.any(1), share.argmin(1), active)

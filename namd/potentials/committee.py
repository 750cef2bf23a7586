r"""Several potentials of the same states as one: their mean, and how far they disagree.

For members m = 1 … M

.. math::

    \bar E_k = \frac1M \sum_m E_k^m, \qquad \bar F_k = -\nabla \bar E_k = \frac1M \sum_m F_k^m,
    \qquad \bar h_{ij} = \frac1M \sum_m s_i^m s_j^m\, h_{ij}^m

The force is the exact gradient of the mean energy, so the total energy is conserved. The signs s of
the states of each member are those that bring all its couplings nearest to the first member's
(:mod:`namd.potentials.signs`). The derivative coupling follows from the mean gap,
:math:`\bar d_{ij} = \bar h_{ij}/(\bar E_j - \bar E_i)`: smooth where the single members have
intersections, because their gaps do not vanish at the same geometry unless they agree.

A committee has **no quasi-diabatic basis** and no overlaps, although every member has. Each member
learned a basis of its own; the mean energies are the eigenvalues of no mean of their matrices, and
with the overlaps of one member the amplitudes would follow that member's states on the surfaces of
all. What is consistent with the mean surfaces is v·d̄: amplitudes are propagated with the coupling
vectors (``nac-vectors``) or from the mean gap alone (``curvature``, ``landau-zener``). d̄ is finite
unless all members put their intersection at the same geometry; the better they agree, the sharper
it becomes there, and the time step must resolve it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.errors import ConfigError, ModelError
from namd.molecule import Molecule
from namd.potentials.deviation import (
    Scales,
    deviation_of,
    gaps_of,
    in_one_gauge,
    largest_atom,
    mean_of,
)
from namd.potentials.dipoles import energies_and_dipoles, has_dipoles
from namd.potentials.protocol import Needs, Potential, Surfaces
from namd.potentials.slices import surfaces_together
from namd.states import StateSpace


@dataclass(frozen=True, eq=False)
class CommitteePotential:
    """A :class:`~namd.potentials.protocol.Potential` that is the mean of others.

    Parameters
    ----------
    members
        At least two, of the same molecule, states and level of theory. Networks are evaluated in
        one call, the slices of all of them side by side; other members one after another.
    name
        Of the committee; its members' names if left out.
    scales
        Factors of the deviations over the members.

    Raises
    ------
    ConfigError
        If there is one member only.
    ModelError
        If a member is not of the same molecule, states or level of theory as the first.
    """

    members: Sequence[Potential]
    name: str = ""
    scales: Scales = field(default_factory=Scales)

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise ConfigError(
                "a committee has at least two members",
                where="potential.committee",
                hint="use potential.model for a single one",
            )
        for member in self.members[1:]:
            _refuse_stranger(member, self.members[0])

    @property
    def molecule(self) -> Molecule:
        """That of all members."""
        return self.members[0].molecule

    @property
    def states(self) -> StateSpace:
        """Those of all members."""
        return self.members[0].states

    def surfaces(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        active_state: Int64[Tensor, " traj"],
        *,
        needs: Needs = Needs.NOTHING,
    ) -> Surfaces:
        """Mean energies and active-state force with their deviations, and what else is needed."""
        wanted = needs & ~Needs.BASIS
        found = surfaces_together(self.members, positions, active_state, needs=wanted)
        energies = [each.energies for each in found]
        active = [each.force for each in found]
        forces = [each.forces for each in found if each.forces is not None]
        couplings = in_one_gauge(
            [each.couplings for each in found if each.couplings is not None],
            states=len(self.states),
        )
        by, apart = self.scales, deviation_of([gaps_of(each) for each in energies])
        return Surfaces(
            energies=mean_of(energies),
            force=mean_of(active),
            couplings=mean_of(couplings) if couplings else None,
            forces=mean_of(forces) if forces else None,
            energy_deviation=by.energy * deviation_of(energies),
            gap_deviation=by.gap * apart,
            force_deviation=by.force * largest_atom(deviation_of(active)),
            coupling_deviation=by.coupling * largest_atom(deviation_of(couplings))
            if couplings
            else None,
        )

    def force(
        self, positions: Float64[Tensor, "traj atom 3"], state: Int64[Tensor, " traj"]
    ) -> Float64[Tensor, "traj atom 3"]:
        """−∇Ē of one chosen state per trajectory, Hartree/Bohr."""
        return mean_of([member.force(positions, state) for member in self.members])

    def coupling(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """h̄_ij of one chosen pair per trajectory, Hartree/Bohr; for i = j it is ∇Ē_i."""
        if len(positions) == 0:
            return torch.zeros_like(positions)
        # The signs of three states or more follow from all their couplings together.
        found = self.surfaces(positions, first, needs=Needs.COUPLINGS)
        if found.couplings is None or not self.states.pairs:
            return -found.force
        n = len(self.states)
        number = torch.zeros(n, n, dtype=torch.int64, device=positions.device)
        for k, (i, j) in enumerate(self.states.pairs):
            number[i, j] = number[j, i] = k
        rows = torch.arange(len(positions), device=positions.device)
        chosen = found.couplings[rows, number[first, second]]
        return torch.where((first == second)[:, None, None], -found.force, chosen)

    @property
    def has_dipoles(self) -> bool:
        """Whether all members have transition dipoles."""
        return all(has_dipoles(member) for member in self.members)

    def energies_and_dipoles(
        self, positions: Float64[Tensor, "traj atom 3"]
    ) -> tuple[Float64[Tensor, "traj state"], Float64[Tensor, "traj pair 3"]]:
        """Mean energies (Hartree) and mean transition dipoles (e·Bohr) in the first one's gauge."""
        found = [energies_and_dipoles(member, positions) for member in self.members]
        # A dipole turns with its states as a coupling with a single atom would.
        dipoles = [dipole[:, :, None] for _, dipole in found if dipole is not None]
        turned = in_one_gauge(dipoles, states=len(self.states))
        return mean_of([energies for energies, _ in found]), mean_of(turned)[:, :, 0]

    def describe(self) -> dict[str, str]:
        """Name, members and a digest of theirs and of the scales."""
        told = [member.describe() for member in self.members]
        parts = [each["digest"] for each in told]
        if self.scales != Scales():
            parts.append(repr(self.scales))
        level = {key: told[0][key] for key in ("level_of_theory",) if key in told[0]}
        return {
            "name": self.name or f"committee of {', '.join(each['name'] for each in told)}",
            "kind": f"committee of {len(told)}, each {told[0]['kind']}",
            **level,
            "digest": hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        }


def _refuse_stranger(member: Potential, first: Potential) -> None:
    """Refuse a member that describes something else than the first."""
    ours, theirs = first.describe(), member.describe()
    level = "level_of_theory"
    differences = {
        "atoms": (first.molecule.symbols, member.molecule.symbols),
        "charge": (first.molecule.charge, member.molecule.charge),
        "states": (first.states.labels, member.states.labels),
        "level of theory": (ours.get(level), theirs.get(level)),
    }
    for what, (expected, found) in differences.items():
        if found != expected:
            raise ModelError(
                f"the members differ in their {what}: {_words(found)}, expected {_words(expected)} "
                f"as in {ours['name']}",
                where=f"potential.committee, {theirs['name']}",
                hint="members are models of the same data, trained from different seeds or splits",
            )
    if not np.allclose(first.molecule.masses, member.molecule.masses, rtol=1e-9, atol=0.0):
        raise ModelError(
            "the members differ in their masses",
            where=f"potential.committee, {theirs['name']}",
            hint="train all members on data of the same isotopes",
        )


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)

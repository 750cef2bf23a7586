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
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.errors import ConfigError, ModelError
from namd.molecule import Molecule
from namd.potentials.protocol import Needs, Potential, Surfaces
from namd.potentials.signs import signs_of_couplings, turn_couplings
from namd.states import StateSpace


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """How far the members disagree: standard deviations over them (M − 1 in the denominator).

    Parameters
    ----------
    energies
        Of every E_k, Hartree.
    force
        Of every component of the chosen state's force, Hartree/Bohr.
    """

    energies: Float64[Tensor, "traj state"]
    force: Float64[Tensor, "traj atom 3"]


@dataclass(frozen=True, eq=False)
class CommitteePotential:
    """A :class:`~namd.potentials.protocol.Potential` that is the mean of others.

    Parameters
    ----------
    members
        At least two, of the same molecule, states and level of theory. Each evaluates the whole
        batch in its own way (networks: slices side by side), one member after another.

    Raises
    ------
    ConfigError
        If there is one member only.
    ModelError
        If a member is not of the same molecule, states or level of theory as the first.
    """

    members: Sequence[Potential]

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
        """Mean energies and active-state force, and the mean of what else is needed."""
        found = [
            member.surfaces(positions, active_state, needs=needs & ~Needs.BASIS)
            for member in self.members
        ]
        energies = [each.energies for each in found]
        couplings = [each.couplings for each in found if each.couplings is not None]
        forces = [each.forces for each in found if each.forces is not None]
        return Surfaces(
            energies=_mean(energies),
            force=_mean([each.force for each in found]),
            energy_deviation=_deviation(energies),
            couplings=_aligned_mean(couplings, states=len(self.states)) if couplings else None,
            forces=_mean(forces) if forces else None,
        )

    def force(
        self, positions: Float64[Tensor, "traj atom 3"], state: Int64[Tensor, " traj"]
    ) -> Float64[Tensor, "traj atom 3"]:
        """−∇Ē of one chosen state per trajectory, Hartree/Bohr."""
        return _mean([member.force(positions, state) for member in self.members])

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

    def deviation(
        self, positions: Float64[Tensor, "traj atom 3"], state: Int64[Tensor, " traj"]
    ) -> Deviation:
        """Compute the standard deviations of all energies and of one state's force."""
        found = [member.surfaces(positions, state) for member in self.members]
        return Deviation(
            energies=_deviation([each.energies for each in found]),
            force=_deviation([each.force for each in found]),
        )

    def describe(self) -> dict[str, str]:
        """Names of all members and a digest of theirs."""
        told = [member.describe() for member in self.members]
        digest = hashlib.sha256("\n".join(each["digest"] for each in told).encode()).hexdigest()
        level = {key: told[0][key] for key in ("level_of_theory",) if key in told[0]}
        return {
            "name": f"committee of {', '.join(each['name'] for each in told)}",
            "kind": f"committee of {len(told)}, each {told[0]['kind']}",
            **level,
            "digest": digest,
        }


def _mean(values: Sequence[Tensor]) -> Tensor:
    """Mean over the members, added in their order."""
    return reduce(torch.add, values) / len(values)


def _deviation(values: Sequence[Tensor]) -> Tensor:
    """Standard deviation over the members, with M − 1 in the denominator."""
    mean = _mean(values)
    squares = reduce(torch.add, ((value - mean).square() for value in values))
    return (squares / (len(values) - 1)).sqrt()


def _aligned_mean(couplings: Sequence[Tensor], *, states: int) -> Tensor:
    """Mean of all couplings in the gauge of the first member."""
    first, *others = couplings
    turned = (
        turn_couplings(other, signs_of_couplings(first, other, states=states)) for other in others
    )
    return _mean([first, *turned])


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

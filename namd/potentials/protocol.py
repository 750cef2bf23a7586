"""The one protocol behind which every electronic structure stands.

A dynamics step asks for one thing: the surfaces of a batch of geometries, with the force of each
trajectory's *active* state. A method that wants more of every step says so (:class:`Needs`);
everything else (the coupling of a pair, the force of another state) is asked for only where a
trajectory tries to hop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int, Int64
from torch import Tensor

from namd.molecule import Molecule
from namd.states import StateSpace


class Needs(Flag):
    """What is wanted of every geometry beside energies and the active state's force.

    Examples
    --------
    >>> Needs.COUPLINGS in Needs.BASIS | Needs.COUPLINGS
    True
    """

    NOTHING = 0
    BASIS = auto()
    """Eigenvectors in a quasi-diabatic basis; free where there is one."""
    COUPLINGS = auto()
    """h_ij of all pairs."""
    FORCES = auto()
    """−∇E_i of all states."""
    DEVIATION = auto()
    """The potential's own estimate of its errors; free where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surfaces:
    """Electronic structure of a batch of geometries, float64, atomic units.

    Parameters
    ----------
    energies
        Adiabatic energies E_k, ascending, Hartree.
    force
        −∇E_a of each trajectory's active state a, Hartree/Bohr.
    eigenvectors
        Columns are the adiabatic states in the quasi-diabatic basis, W u_k = E_k u_k. Signs are
        arbitrary. With more diabats than states only the lowest states' columns are kept. ``None``
        where there is no such basis.
    diabatic_hamiltonian
        W, real symmetric, Hartree; ``None`` where there is no such basis.
    couplings
        h_ij of all pairs i < j in the order of the ``pair`` axis, Hartree/Bohr, in the gauge of
        ``eigenvectors`` where there are any, else one sign per state, arbitrary. ``None`` unless
        asked for.
    forces
        −∇E_i of all states, Hartree/Bohr. ``None`` unless asked for.
    energy_deviation, gap_deviation
        The potential's own estimate of the error of ``energies`` and of E_j − E_i, Hartree; these
        and the next two are ``None`` where it has none.
    force_deviation
        That of ``force``, Hartree/Bohr: its length at the atom where it is longest.
    coupling_deviation
        The same of each of the ``couplings``; ``None`` without these, too.
    """

    energies: Float[Tensor, "traj state"]
    force: Float[Tensor, "traj atom 3"]
    eigenvectors: Float[Tensor, "traj diabat state"] | None = None
    diabatic_hamiltonian: Float[Tensor, "traj diabat diabat"] | None = None
    couplings: Float[Tensor, "traj pair atom 3"] | None = None
    forces: Float[Tensor, "traj state atom 3"] | None = None
    energy_deviation: Float[Tensor, "traj state"] | None = None
    gap_deviation: Float[Tensor, "traj pair"] | None = None
    force_deviation: Float[Tensor, " traj"] | None = None
    coupling_deviation: Float[Tensor, "traj pair"] | None = None


@runtime_checkable
class Potential(Protocol):
    """Electronic structure of one molecule in a fixed number of states.

    Every method is batched over trajectories; the result for one trajectory does not depend on
    which others are in the batch. All tensors are float64 on the device of ``positions``.
    """

    @property
    def molecule(self) -> Molecule:
        """The molecule (or model particle) this potential belongs to."""
        ...

    @property
    def states(self) -> StateSpace:
        """The adiabatic states."""
        ...

    def surfaces(
        self,
        positions: Float[Tensor, "traj atom 3"],
        active_state: Int[Tensor, " traj"],
        *,
        needs: Needs = Needs.NOTHING,
    ) -> Surfaces:
        """Energies and active-state force at ``positions`` (Bohr), and what else is needed.

        Couplings and forces cost something and are made only where ``needs`` says so; the basis is
        given wherever there is one. What a potential does not have it leaves at ``None``; whoever
        needs it says so before the first step.
        """
        ...

    def force(
        self, positions: Float[Tensor, "traj atom 3"], state: Int[Tensor, " traj"]
    ) -> Float[Tensor, "traj atom 3"]:
        """−∇E of one chosen state per trajectory, Hartree/Bohr."""
        ...

    def coupling(
        self,
        positions: Float[Tensor, "traj atom 3"],
        first: Int[Tensor, " traj"],
        second: Int[Tensor, " traj"],
    ) -> Float[Tensor, "traj atom 3"]:
        """h_ij = u_iᵀ(∇W)u_j of one chosen pair per trajectory, Hartree/Bohr, sign arbitrary."""
        ...

    def describe(self) -> dict[str, str]:
        """Name, kind and digest, written into every file a run makes."""
        ...


@runtime_checkable
class Remembering(Potential, Protocol):
    """A potential to which it matters whose geometries are asked for."""

    def of(self, trajectory_id: Int64[Tensor, " traj"]) -> Potential:
        """The potential for the next geometries of these trajectories, row by row."""
        ...

    def remembered(self) -> dict[int, bytes]:
        """What the next geometries go on from: for a checkpoint."""
        ...

    def recall(self, remembered: Mapping[int, bytes]) -> None:
        """Go on with what was remembered."""
        ...


def following(potential: Potential, trajectory_id: Int64[Tensor, " traj"]) -> Potential:
    """The potential for the next geometries of these trajectories."""
    return potential.of(trajectory_id) if isinstance(potential, Remembering) else potential

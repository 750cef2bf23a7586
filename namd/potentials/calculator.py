"""Electronic structure computed elsewhere, one geometry at a time: ASE calculators, and any other.

A program that gives energies, gradients and, with several states, couplings of one geometry becomes
a potential by an adapter of one method (:class:`Electronics`). Geometries of a batch are computed
one after another, so that no result depends on the others. Such programs know no quasi-diabatic
basis: amplitudes of several states are propagated with the coupling vectors (``nac-vectors``).

:func:`ase_potential` is the adapter for the ground state of any calculator of ASE.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from namd.errors import DataError
from namd.molecule import Molecule
from namd.potentials.protocol import Needs, Surfaces
from namd.states import StateSpace
from namd.units import (
    ANGSTROM_PER_BOHR,
    ELECTRON_MASS_PER_AMU,
    EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
    EV_PER_HARTREE,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class StateProperties:
    """Electronic structure of one geometry, atomic units.

    Parameters
    ----------
    energies
        E_k, ascending, Hartree.
    gradients
        ∇E_k, Hartree/Bohr.
    couplings
        h_ij = ⟨i|∇H|j⟩ of all pairs i < j (01, 02, 12, …), Hartree/Bohr, with one arbitrary sign
        per state; none for a single state.
    """

    energies: Float[np.ndarray, " state"]
    gradients: Float[np.ndarray, "state atom 3"]
    couplings: Float[np.ndarray, "pair atom 3"] | None = None


@runtime_checkable
class Electronics(Protocol):
    """What an adapter must offer."""

    def __call__(self, positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
        """Compute all states of one geometry (Bohr)."""
        ...


@runtime_checkable
class Following(Electronics, Protocol):
    """An adapter whose next geometry of a trajectory goes on from the one before."""

    def of(self, trajectory: int) -> Electronics:
        """Compute the next geometry of one trajectory."""
        ...

    def remembered(self) -> dict[int, bytes]:
        """What the next geometry of every trajectory goes on from."""
        ...

    def recall(self, remembered: Mapping[int, bytes]) -> None:
        """Go on with what was remembered."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class CalculatorPotential:
    """A :class:`~namd.potentials.protocol.Potential` that calls a program for every geometry.

    Parameters
    ----------
    molecule, states
        What is computed.
    electronics
        The adapter.
    name
        Printed and written into files.
    digest
        Of the settings; empty for somebody else's program.
    trajectories
        Whose geometries are asked for, row by row; nobody's in particular if left out.
    """

    molecule: Molecule
    states: StateSpace
    electronics: Electronics
    name: str
    digest: str = ""
    trajectories: tuple[int, ...] | None = None

    def of(self, trajectory_id: Int64[Tensor, " traj"]) -> "CalculatorPotential":
        """The potential for one geometry of each of these trajectories."""
        return replace(self, trajectories=tuple(trajectory_id.tolist()))

    def remembered(self) -> dict[int, bytes]:
        """What the next geometries go on from, of programs that know the trajectories."""
        if isinstance(self.electronics, Following):
            return self.electronics.remembered()
        return {}

    def recall(self, remembered: Mapping[int, bytes]) -> None:
        """Go on with what was remembered."""
        if isinstance(self.electronics, Following):
            self.electronics.recall(remembered)

    def surfaces(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        active_state: Int64[Tensor, " traj"],
        *,
        needs: Needs = Needs.NOTHING,
    ) -> Surfaces:
        """Energies and active-state force at ``positions`` (Bohr), and what else is needed.

        Raises
        ------
        DataError
            If the program gives other numbers of states than it should, or in another order.
        """
        energies, gradients, couplings = self._compute(positions)
        rows = torch.arange(len(positions), device=positions.device)
        return Surfaces(
            energies=energies,
            force=-gradients[rows, active_state],
            eigenvectors=torch.ones_like(energies)[:, None] if len(self.states) == 1 else None,
            diabatic_hamiltonian=energies[:, None] if len(self.states) == 1 else None,
            couplings=couplings if Needs.COUPLINGS in needs else None,
            forces=-gradients if Needs.FORCES in needs else None,
        )

    def force(
        self, positions: Float64[Tensor, "traj atom 3"], state: Int64[Tensor, " traj"]
    ) -> Float64[Tensor, "traj atom 3"]:
        """−∇E of one chosen state per trajectory, Hartree/Bohr."""
        return -self.coupling(positions, state, state)

    def coupling(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """h_ij of one chosen pair per trajectory, Hartree/Bohr; for i = j it is ∇E_i."""
        _, gradients, couplings = self._compute(positions)
        n = len(self.states)
        table = gradients.new_zeros(len(positions), n, n, *positions.shape[1:])
        for k in range(n):
            table[:, k, k] = gradients[:, k]
        for k, (i, j) in enumerate(self.states.pairs):
            table[:, i, j] = table[:, j, i] = couplings[:, k]
        rows = torch.arange(len(positions), device=positions.device)
        return table[rows, first, second]

    def describe(self) -> dict[str, str]:
        """Name and kind."""
        return {"name": self.name, "kind": "calculator", "digest": self.digest}

    def _compute(
        self, positions: Float64[Tensor, "traj atom 3"]
    ) -> tuple[
        Float64[Tensor, "traj state"],
        Float64[Tensor, "traj state atom 3"],
        Float64[Tensor, "traj pair atom 3"],
    ]:
        """Everything of every geometry; NaN for a geometry that is not finite."""
        n, pairs, shape = len(self.states), len(self.states.pairs), tuple(positions.shape[1:])
        energies = np.full((len(positions), n), np.nan)
        gradients = np.full((len(positions), n, *shape), np.nan)
        couplings = np.full((len(positions), pairs, *shape), np.nan)
        for row, geometry in enumerate(positions.detach().cpu().numpy()):
            if np.isfinite(geometry).all():
                found = self._checked(self._electronics(row)(geometry))
                energies[row], gradients[row] = found.energies, found.gradients
                if found.couplings is not None:
                    couplings[row] = found.couplings
        made = (torch.as_tensor(array) for array in (energies, gradients, couplings))
        first, second, third = (array.to(positions.device) for array in made)
        return first, second, third

    def _electronics(self, row: int) -> Electronics:
        if self.trajectories is None or not isinstance(self.electronics, Following):
            return self.electronics
        return self.electronics.of(self.trajectories[row])

    def _checked(self, found: StateProperties) -> StateProperties:
        """Refuse an adapter that does not give every state and pair, by energy."""
        given = 0 if found.couplings is None else len(found.couplings)
        expected = len(self.states), len(self.states.pairs)
        if (len(found.energies), given) != expected:
            raise DataError(
                f"got {len(found.energies)} energies and {given} couplings, "
                f"expected {expected[0]} and {expected[1]}",
                where=self.name,
                hint="the adapter must give all states and pairs of every geometry",
            )
        if (np.diff(found.energies) < 0).any():
            raise DataError(
                f"the energies {found.energies.tolist()} do not ascend",
                where=self.name,
                hint="the adapter must order states by energy, their gradients and couplings alike",
            )
        return found


def ase_potential(atoms: Any) -> CalculatorPotential:
    """Ground state of an ASE calculator.

    Parameters
    ----------
    atoms
        :class:`ase.Atoms` with a calculator attached, which is used for every geometry. Elements
        and masses are those of the atoms; their positions do not matter.

    Raises
    ------
    DataError
        If there is no calculator.

    Examples
    --------
    >>> from ase import Atoms
    >>> from ase.calculators.morse import MorsePotential
    >>> ase_potential(Atoms("H2", [[0, 0, 0], [0, 0, 1.0]], calculator=MorsePotential())).name
    'MorsePotential (ASE)'
    """
    if atoms.calc is None:
        raise DataError(
            "the atoms have no calculator", where="ase_potential", hint="set atoms.calc first"
        )
    own = atoms.copy()
    own.calc = atoms.calc

    def electronics(positions: Float[np.ndarray, "atom 3"]) -> StateProperties:
        own.positions = positions * ANGSTROM_PER_BOHR
        energy, forces = own.get_potential_energy(), own.get_forces()
        return StateProperties(
            energies=np.array([energy / EV_PER_HARTREE]),
            gradients=-forces[None] / EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
        )

    return CalculatorPotential(
        molecule=Molecule(
            atomic_numbers=atoms.numbers.astype(np.int64),
            masses=atoms.get_masses() * ELECTRON_MASS_PER_AMU,
        ),
        states=StateSpace.singlets(1),
        electronics=electronics,
        name=f"{type(atoms.calc).__name__} (ASE)",
    )

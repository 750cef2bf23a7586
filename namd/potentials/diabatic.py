"""A potential from an analytic diabatic matrix W(R) and its gradient.

Energies and states come from W u = E u; forces and couplings from Hellmann–Feynman,
F_a = −u_aᵀ(∇W)u_a and h_ij = u_iᵀ(∇W)u_j. A model is then two functions of the positions.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials.eigen import symmetric_eigen
from namd.potentials.protocol import Needs, Surfaces
from namd.states import StateSpace

Hamiltonian = Callable[[Tensor], Tensor]
"""``[traj, atom, 3]`` Bohr → W ``[traj, diabat, diabat]`` Hartree."""

Gradient = Callable[[Tensor], Tensor]
"""``[traj, atom, 3]`` Bohr → ∇W ``[traj, diabat, diabat, atom, 3]`` Hartree/Bohr."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HarmonicReference:
    """The harmonic oscillators a model is built on: where trajectories may start.

    Parameters
    ----------
    positions
        Their common minimum, Bohr.
    hessian
        ∂²V/∂R∂R' flattened over (atom, xyz), Hartree/Bohr²; inert coordinates have zeros.
    """

    positions: Float[np.ndarray, "atom 3"]
    hessian: Float[np.ndarray, "coordinate coordinate"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DiabaticPotential:
    """A :class:`~namd.potentials.protocol.Potential` made of W(R) and ∇W(R).

    Parameters
    ----------
    molecule, states
        What the model is a model of; with fewer states than diabats the lowest are kept.
    hamiltonian, gradient
        W and ∇W, float64, each row a function of its own geometry only.
    name
        Printed and written into files.
    parameters
        The numbers of the model, from which its digest is made.
    harmonic
        The oscillators it is built on, if it is.
    dipoles
        Dipole operator in the diabatic basis, independent of the geometry, e·Bohr; if known.
    """

    molecule: Molecule
    states: StateSpace
    hamiltonian: Hamiltonian
    gradient: Gradient
    name: str
    parameters: Sequence[tuple[str, float]] = ()
    harmonic: HarmonicReference | None = None
    dipoles: Float64[Tensor, "diabat diabat 3"] | None = None

    def surfaces(
        self,
        positions: Float64[Tensor, "traj atom 3"],
        active_state: Int64[Tensor, " traj"],
        *,
        needs: Needs = Needs.NOTHING,
    ) -> Surfaces:
        """Energies, active-state force and quasi-diabatic basis, and all else that is needed."""
        diabatic, energies, vectors = self._diagonalise(positions)
        gradient = self.gradient(positions)
        column = pick_state(vectors, active_state)
        columns = vectors.unbind(2)
        couplings = forces = None
        if Needs.COUPLINGS in needs:
            pairs = [sandwich(columns[i], gradient, columns[j]) for i, j in self.states.pairs]
            couplings = torch.stack(pairs, 1) if pairs else gradient[:, 0, :0]
        if Needs.FORCES in needs:
            forces = -torch.stack([sandwich(u, gradient, u) for u in columns], 1)
        return Surfaces(
            energies=energies,
            force=-sandwich(column, gradient, column),
            eigenvectors=vectors,
            diabatic_hamiltonian=diabatic,
            couplings=couplings,
            forces=forces,
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
        _, _, vectors = self._diagonalise(positions)
        left, right = pick_state(vectors, first), pick_state(vectors, second)
        return sandwich(left, self.gradient(positions), right)

    def describe(self) -> dict[str, str]:
        """Name, kind, and a digest of the parameters."""
        text = ", ".join(f"{key}={value!r}" for key, value in self.parameters)
        digest = hashlib.sha256(f"{self.name}: {text}".encode()).hexdigest()
        return {
            "name": self.name,
            "kind": "analytic diabatic model",
            "parameters": text,
            "digest": digest,
        }

    def _diagonalise(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """W, the kept energies, and their columns."""
        diabatic = self.hamiltonian(positions)
        kept = len(self.states)
        if diabatic.shape[-1] < kept:
            raise ConfigError(
                f"{kept} states asked for, but the model has {diabatic.shape[-1]} diabats",
                where=self.name,
                hint="ask for fewer states",
            )
        energies, vectors = symmetric_eigen(diabatic)
        return diabatic, energies[:, :kept].contiguous(), vectors[:, :, :kept].contiguous()


def pick_state(
    vectors: Float64[Tensor, "traj diabat state"], state: Int64[Tensor, " traj"]
) -> Float64[Tensor, "traj diabat"]:
    """Pick the eigenvector u_k of one chosen state per trajectory."""
    index = state[:, None, None].expand(-1, vectors.shape[1], 1)
    return vectors.gather(2, index).squeeze(2)


def sandwich(
    left: Float64[Tensor, "traj diabat"],
    gradient: Float64[Tensor, "traj diabat diabat atom 3"],
    right: Float64[Tensor, "traj diabat"],
) -> Float64[Tensor, "traj atom 3"]:
    """Contract u_iᵀ(∇W)u_j in a fixed order, so that no trajectory depends on the batch size."""
    weights = (left[:, :, None] * right[:, None, :])[..., None, None]
    return reduce(torch.add, (weights * gradient).flatten(1, 2).unbind(1))

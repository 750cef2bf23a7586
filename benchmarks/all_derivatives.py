"""The control of the throughput benchmark: all forces and couplings in every step."""

import torch
from torch import Tensor

from namd.molecule import Molecule
from namd.nn.adiabatic import matrix_gradient
from namd.nn.model import DiabaticModel
from namd.potentials.eigen import symmetric_eigen
from namd.potentials.network import NetworkPotential
from namd.potentials.protocol import Needs, Surfaces
from namd.states import StateSpace


class AllDerivatives:
    """A network potential that makes ∇W as a whole wherever one force is asked for.

    One forward pass and one vjp per independent element of W (three for two diabats), in slices of
    the size that the potential beside it uses, padded like there. What a step sees is the same up
    to rounding.

    Parameters
    ----------
    model
        The trained model.
    inner
        The potential that answers everything but :meth:`surfaces`.
    slice_size
        Molecules evaluated at a time.
    """

    def __init__(
        self, model: DiabaticModel, *, inner: NetworkPotential, slice_size: int = 8
    ) -> None:
        self._model = model.requires_grad_(False)
        self._inner = inner
        self._slice_size = slice_size
        self.force, self.coupling, self.describe = inner.force, inner.coupling, inner.describe

    @property
    def molecule(self) -> Molecule:
        """The molecule of the model."""
        return self._inner.molecule

    @property
    def states(self) -> StateSpace:
        """Its states."""
        return self._inner.states

    def surfaces(
        self, positions: Tensor, active_state: Tensor, *, needs: Needs = Needs.NOTHING
    ) -> Surfaces:
        """As asked for, after the forces of all states and the couplings of all pairs."""
        number, size = len(positions), self._slice_size
        missing = -number % size
        centred = positions - positions.mean(dim=1, keepdim=True)
        padded = torch.cat([centred, centred[-1:].expand(missing, -1, -1)])
        parts = [self._slice(rows) for rows in torch.split(padded, size)]
        matrix, energies, vectors, rotated = (
            torch.cat(column)[:number] for column in zip(*parts, strict=True)
        )
        kept = len(self.states)
        first, second = torch.triu_indices(kept, kept, offset=1)
        own = torch.arange(kept)
        return Surfaces(
            energies=energies[:, :kept].contiguous(),
            force=-rotated[torch.arange(number), active_state, active_state],
            eigenvectors=vectors[:, :, :kept].contiguous(),
            diabatic_hamiltonian=matrix,
            couplings=rotated[:, first, second] if Needs.COUPLINGS in needs else None,
            forces=-rotated[:, own, own] if Needs.FORCES in needs else None,
        )

    def _slice(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W, its eigenvalues and eigenvectors, and u_iᵀ(∇W)u_j of all i and j."""
        model = self._model
        moving = positions.to(model.dtype).requires_grad_()
        with torch.enable_grad():
            raw = model.network(moving)
            gradient = matrix_gradient(raw, moving).double() * model.scale
        matrix = raw.detach().double() * model.scale + torch.diag(model.shift)
        energies, vectors = symmetric_eigen(matrix)
        rotated = torch.einsum("bki,bklax,blj->bijax", vectors, gradient, vectors)
        return matrix, energies, vectors, rotated

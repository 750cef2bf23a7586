"""A trained (or untrained) model: a network, its scale and shift, and what it was made for.

    W(R) = scale · network(R) + diag(shift)

The network works in float32; scale, shift and everything after them in float64, so that total
energies near −1000 eV lose no digits.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.config.architecture import Architecture
from namd.molecule import Molecule
from namd.nn.adiabatic import Adiabatic, adiabatic, matrix_gradient
from namd.nn.base import DiabaticNetwork
from namd.nn.factory import build_network
from namd.states import StateSpace


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelInformation:
    """What a model was made for.

    Parameters
    ----------
    name
        Its name.
    molecule, states
        The atoms in the model's order, and the states it predicts.
    level_of_theory
        The method of the labels.
    architecture
        Kind and sizes of the network.
    diabats
        Size of W, at least the number of states.
    """

    name: str
    molecule: Molecule
    states: StateSpace
    level_of_theory: str
    architecture: Architecture
    diabats: int


class DiabaticModel(nn.Module):
    """W, and from it energies, forces and couplings, in atomic units.

    Parameters
    ----------
    information
        What the model is made for.
    seed
        Seed of the initial weights; the global random state is left as it was.
    """

    network: DiabaticNetwork
    scale: Tensor
    shift: Tensor

    def __init__(self, information: ModelInformation, *, seed: int = 0) -> None:
        super().__init__()
        self.information = information
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build_network(
                information.architecture,
                atomic_numbers=torch.from_numpy(information.molecule.atomic_numbers),
                diabats=information.diabats,
            )
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("shift", torch.zeros(information.diabats, dtype=torch.float64))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network's weights."""
        precision: torch.dtype = next(self.network.parameters()).dtype
        return precision

    def hamiltonian(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in Hartree, float64, at ``positions`` in Bohr."""
        matrix: Tensor = self.network(positions.to(self.dtype))
        return matrix.double() * self.scale + torch.diag(self.shift)

    def adiabatic(
        self, positions: Float[Tensor, "molecule atom 3"], *, create_graph: bool = False
    ) -> Adiabatic:
        """Energies, forces of all states and couplings of all pairs.

        Parameters
        ----------
        positions
            Bohr.
        create_graph
            Keep what is needed to differentiate the result with respect to the weights.
        """
        moving = positions.detach().to(self.dtype).requires_grad_()
        with torch.enable_grad():
            matrix = self.network(moving)
            gradient = matrix_gradient(matrix, moving, create_graph=create_graph)
        if not create_graph:
            matrix, gradient = matrix.detach(), gradient.detach()
        return adiabatic(
            matrix.double() * self.scale + torch.diag(self.shift),
            gradient.double() * self.scale,
            states=len(self.information.states),
        )

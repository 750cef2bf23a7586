"""A trained (or untrained) model: a network, its scale and shift, and what it was made for.

    W(R) = scale · network(R) + diag(shift)

Of a direct head W is diagonal: its eigenvectors only put the states in order of energy.

The network works in float32; scale, shift and everything after them in float64, so that total
energies near −1000 eV lose no digits.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.config.architecture import Architecture
from namd.config.head import DirectHead, Head, QuasiDiabaticHead
from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.nn.adiabatic import Adiabatic, adiabatic, learned_coupling, matrix_gradient
from namd.nn.base import DiabaticNetwork, Prediction
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
    head
        What the network predicts.

    Raises
    ------
    ConfigError
        If the head does not fit the size of W.
    """

    name: str
    molecule: Molecule
    states: StateSpace
    level_of_theory: str
    architecture: Architecture
    diabats: int
    head: Head = field(default_factory=QuasiDiabaticHead)

    def __post_init__(self) -> None:
        if isinstance(self.head, DirectHead):
            if self.diabats != len(self.states):
                raise ConfigError(
                    f"a direct head has as many diabats as states, {len(self.states)}",
                    where=f"diabats = {self.diabats}",
                    hint="leave diabats at null",
                )
        elif any(k >= self.diabats for k in self.head.odd_diabats):
            raise ConfigError(
                f"W has {self.diabats} diabats, counted from 0",
                where=f"head.odd_diabats = {list(self.head.odd_diabats)}",
                hint=f"give numbers below {self.diabats}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivatives:
    """W and its covariant gradient in the model's own basis, atomic units, float64.

    Parameters
    ----------
    matrix
        W, Hartree.
    gradient
        ∇W and what the head adds to it, Hartree/Bohr.
    dipoles
        μ, e·Bohr, where it is learned.
    """

    matrix: Float[Tensor, "molecule diabat diabat"]
    gradient: Float[Tensor, "molecule diabat diabat atom 3"]
    dipoles: Float[Tensor, "molecule diabat diabat 3"] | None

    def take(self, rows: Int[Tensor, " row"]) -> "Derivatives":
        """Those of some molecules."""
        dipoles = None if self.dipoles is None else self.dipoles[rows]
        return Derivatives(matrix=self.matrix[rows], gradient=self.gradient[rows], dipoles=dipoles)


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
                head=information.head,
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
        return self.in_hartree(self.network(positions.to(self.dtype)))

    @torch.no_grad()
    def features(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule learned"] | None:
        """What the last layer of W reads at ``positions`` in Bohr; None if the network has none."""
        return self.network.evaluate(positions.to(self.dtype)).features

    @property
    def is_direct(self) -> bool:
        """Whether the head is direct: W diagonal, couplings learned as fields."""
        return isinstance(self.information.head, DirectHead)

    @property
    def has_basis(self) -> bool:
        """Whether overlaps of the eigenvectors of W carry amplitudes along.

        They do if ∇W holds the whole coupling, not where a head adds to it.
        """
        head = self.information.head
        return isinstance(head, QuasiDiabaticHead) and not head.residual

    def in_hartree(
        self, matrix: Float[Tensor, "molecule diabat diabat"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in Hartree, float64, from the network's."""
        scaled: Tensor = matrix.double() * self.scale + torch.diag(self.shift)
        return scaled

    def learned_coupling(
        self, prediction: Prediction
    ) -> Float[Tensor, "molecule diabat diabat atom 3"] | None:
        """What the head adds to ∇W, Hartree/Bohr; None if nothing."""
        if prediction.fields is None:
            return None
        # A common shift of all diabats drops out of [τ, W]; without it no digit is lost.
        relative = torch.diag(self.shift - self.shift.mean())
        return learned_coupling(
            prediction.fields,
            prediction.matrix.double() * self.scale + relative,
            direct=self.is_direct,
            scale=self.scale,
        )

    def derivatives(
        self, positions: Float[Tensor, "molecule atom 3"], *, create_graph: bool = False
    ) -> Derivatives:
        """W, and its gradient with what the head adds to it.

        Parameters
        ----------
        positions
            Bohr.
        create_graph
            Keep what is needed to differentiate the result with respect to the weights.
        """
        moving = positions.detach().to(self.dtype).requires_grad_()
        with torch.enable_grad():
            prediction = self.network.evaluate(moving, dipoles=True)
            gradient = matrix_gradient(
                prediction.matrix, moving, create_graph=create_graph, diagonal=self.is_direct
            )
        with torch.set_grad_enabled(create_graph):
            whole = gradient.double() * self.scale
            learned = self.learned_coupling(prediction)
            return Derivatives(
                matrix=self.in_hartree(prediction.matrix),
                gradient=whole if learned is None else whole + learned,
                dipoles=prediction.dipoles,
            )

    def adiabatic(
        self, positions: Float[Tensor, "molecule atom 3"], *, create_graph: bool = False
    ) -> Adiabatic:
        """Energies, forces of all states, couplings and, if learned, dipoles of all pairs.

        Parameters
        ----------
        positions
            Bohr.
        create_graph
            Keep what is needed to differentiate the result with respect to the weights.
        """
        found = self.derivatives(positions, create_graph=create_graph)
        with torch.set_grad_enabled(create_graph):
            return self.in_states(found)

    def in_states(self, found: Derivatives) -> Adiabatic:
        """Rotate what :meth:`derivatives` gives into the model's adiabatic states."""
        return adiabatic(
            found.matrix,
            found.gradient,
            states=len(self.information.states),
            dipoles=found.dipoles,
        )

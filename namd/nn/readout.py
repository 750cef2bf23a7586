"""From invariant atomic features to a quasi-diabatic matrix W.

Diagonal and off-diagonal elements are sums of atomic contributions of two small perceptrons.

A readout that treats equal elements alike gives totally symmetric matrix elements at symmetric
geometries; the interstate coupling between states of different symmetry (A_g and B_u of planar
trans-stilbene) would be exactly zero. Learned *site labels* (a bias and an output weight per atom)
lift this where wanted: ``none``, ``offdiagonal`` (default) or ``all``. With labels the network
belongs to one fixed numbering of the atoms.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

SiteLabels = Literal["none", "offdiagonal", "all"]
_START = 0.2  # the untrained W hardly departs from its shift: training starts from the mean
_COLUMNS = 16


def times(
    rows: Float[Tensor, "*row inner"], matrix: Float[Tensor, "inner output"]
) -> Float[Tensor, "*row output"]:
    """``rows @ matrix``, every row rounded alike wherever it stands in a batch.

    BLAS does so for whole vectors of columns, to which the matrix is filled up.
    """
    outputs = matrix.shape[1]
    padded = nn.functional.pad(matrix, (0, -outputs % _COLUMNS))
    product: Tensor = (rows @ padded)[..., :outputs]
    return product


class AtomicPerceptron(nn.Module):
    """A two-layer perceptron of each atom's invariants, optionally labelled by site.

    Parameters
    ----------
    inputs, hidden, outputs
        Widths; the leaves use ``outer`` [hidden, output].
    atoms
        Number of atoms.
    labelled
        Whether each atom has a bias and a weight of its own.
    """

    def __init__(
        self, *, inputs: int, hidden: int, outputs: int, atoms: int, labelled: bool
    ) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU())
        self.middle = nn.Linear(hidden, hidden)
        self.outer = nn.Parameter(_START * torch.randn(hidden, outputs) / (hidden * atoms) ** 0.5)
        self.site_bias = nn.Parameter(torch.randn(atoms, hidden)) if labelled else None
        self.site_weight = nn.Parameter(torch.randn(atoms, hidden)) if labelled else None

    def hidden(
        self, invariants: Float[Tensor, "molecule atom feature"]
    ) -> Float[Tensor, "molecule atom hidden"]:
        """The second hidden layer of every atom."""
        hidden: Tensor = self.middle(self.inner(invariants))
        if self.site_bias is not None:
            hidden = hidden + self.site_bias
        hidden = nn.functional.silu(hidden)
        if self.site_weight is not None:
            hidden = hidden * self.site_weight
        return hidden


class AtomicSum(AtomicPerceptron):
    """Σ_atoms of a two-layer perceptron of the atom's invariants."""

    def forward(
        self, invariants: Float[Tensor, "molecule atom feature"]
    ) -> tuple[Float[Tensor, "molecule output"], Float[Tensor, "molecule hidden"]]:
        """Sum of atomic outputs, and the sum of hidden layers that it is linear in."""
        pooled = self.hidden(invariants).sum(1)
        return times(pooled, self.outer), pooled


def diabatic_matrix(
    diagonal: Float[Tensor, "molecule diabat"],
    offdiagonal: Float[Tensor, "molecule pair"],
    *,
    limit: float,
) -> Float[Tensor, "molecule diabat diabat"]:
    """Assemble W from its diagonal and its unbounded off-diagonal elements w: L tanh(w/L)."""
    matrix = torch.diag_embed(diagonal)
    diabats = matrix.shape[1]
    row, column = torch.triu_indices(diabats, diabats, offset=1, device=matrix.device)
    upper = torch.zeros_like(matrix)
    upper[:, row, column] = limit * torch.tanh(offdiagonal / limit)
    return matrix + upper + upper.mT


class QuasiDiabaticReadout(nn.Module):
    """W, symmetric [molecule, diabat, diabat], in units of the model's scale (1 eV).

    Off-diagonal elements are L tanh(w/L) of their atomic sums w. The invariants are polynomials of
    high degree; where a trajectory leaves the training data a sum of them can grow without limit,
    and with it the gap and the force. The limit L, a few times the largest element the data need,
    leaves the elements inside the data as they are.
    """

    def __init__(
        self,
        *,
        inputs: int,
        hidden: int,
        diabats: int,
        atoms: int,
        labels: SiteLabels,
        offdiagonal_limit: float,
    ) -> None:
        super().__init__()
        self.limit = offdiagonal_limit
        self.diagonal = AtomicSum(
            inputs=inputs, hidden=hidden, outputs=diabats, atoms=atoms, labelled=labels == "all"
        )
        pairs = diabats * (diabats - 1) // 2
        self.offdiagonal = None
        if pairs:
            self.offdiagonal = AtomicSum(
                inputs=inputs, hidden=hidden, outputs=pairs, atoms=atoms, labelled=labels != "none"
            )

    def forward(
        self, invariants: Float[Tensor, "molecule atom feature"]
    ) -> tuple[Float[Tensor, "molecule diabat diabat"], Float[Tensor, "molecule learned"]]:
        """The matrix, and what its last layers read."""
        diagonal, pooled = self.diagonal(invariants)
        if self.offdiagonal is None:
            return torch.diag_embed(diagonal), pooled
        offdiagonal, more = self.offdiagonal(invariants)
        matrix = diabatic_matrix(diagonal, offdiagonal, limit=self.limit)
        return matrix, torch.cat([pooled, more], dim=1)


class EnergyReadout(nn.Module):
    """A diagonal W: energies of the states of a direct head, in units of the model's scale.

    Parameters
    ----------
    inputs, hidden, states, atoms
        Invariants per atom, hidden width, number of states and atoms.
    labels
        The energies have site labels where it is ``all``.
    """

    def __init__(
        self, *, inputs: int, hidden: int, states: int, atoms: int, labels: SiteLabels
    ) -> None:
        super().__init__()
        self.diagonal = AtomicSum(
            inputs=inputs, hidden=hidden, outputs=states, atoms=atoms, labelled=labels == "all"
        )

    def forward(
        self, invariants: Float[Tensor, "molecule atom feature"]
    ) -> tuple[Float[Tensor, "molecule state state"], Float[Tensor, "molecule learned"]]:
        """The energies on the diagonal, and what their last layer reads."""
        energies, pooled = self.diagonal(invariants)
        return torch.diag_embed(energies), pooled

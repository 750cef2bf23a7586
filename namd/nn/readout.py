"""From invariant atomic features to a quasi-diabatic matrix W.

Diagonal and off-diagonal elements are sums of atomic contributions of two small perceptrons.

A readout that treats equal elements alike gives totally symmetric matrix elements at symmetric
geometries; the interstate coupling between states of different symmetry (A_g and B_u of planar
trans-stilbene) would be exactly zero. Learned *site labels* (a bias and an output weight per atom)
lift this where wanted: ``none``, ``offdiagonal`` (default) or ``all``. With labels the network
belongs to one fixed numbering of the atoms, and whether an element is even or odd under an
exchange of equal atoms has to be learned. *Signs* are the exact way (``signs``): each atom's
contribution to an element has the sign that :mod:`namd.data.characters` finds for it.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.config.architecture import Bound, SiteLabels

Sites = Literal["alike", "labelled", "signed"]
Elements = Sequence[tuple[int, int]]
"""Rows and columns of elements of W."""

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


def diagonal(diabats: int) -> Elements:
    """Elements (k, k)."""
    return [(k, k) for k in range(diabats)]


def above_diagonal(diabats: int) -> Elements:
    """Elements (k, l), k < l, row by row."""
    return list(combinations(range(diabats), 2))


def sites_of(labels: SiteLabels, *, offdiagonal: bool) -> Sites:
    """How a readout of these elements treats equal atoms."""
    if labels == "all" or (labels == "offdiagonal" and offdiagonal):
        return "labelled"
    return "signed" if labels == "signs" and offdiagonal else "alike"


class SignedReadout(nn.Module):
    """A readout of elements of W that may have a sign for each atom's contribution.

    Parameters
    ----------
    elements
        Which elements, in the order of its outputs.
    atoms
        Number of atoms.
    sites
        ``site_sign`` is there where it is ``signed``; +1 until :func:`set_site_signs`.
    """

    site_sign: Tensor | None

    def __init__(self, *, elements: Elements, atoms: int, sites: Sites) -> None:
        super().__init__()
        self.elements = tuple(elements)
        signs = torch.ones(atoms, len(elements)) if sites == "signed" else None
        self.register_buffer("site_sign", signs)

    def signed(
        self, contributions: Float[Tensor, "*row atom output"]
    ) -> Float[Tensor, "*row atom output"]:
        """Contributions of the atoms with their signs."""
        return contributions if self.site_sign is None else contributions * self.site_sign


def set_site_signs(network: nn.Module, signs: Float[Tensor, "diabat diabat atom"]) -> None:
    """Give every signed readout of a network the signs of its elements."""
    for module in network.modules():
        if isinstance(module, SignedReadout) and module.site_sign is not None:
            mine = torch.stack([signs[row, column] for row, column in module.elements], dim=1)
            module.site_sign.copy_(mine)


class AtomicPerceptron(SignedReadout):
    """A two-layer perceptron of each atom's invariants, with sites labelled or signed.

    Parameters
    ----------
    inputs, hidden
        Widths; the leaves use ``outer`` [hidden, output].
    elements, atoms
        As for :class:`SignedReadout`.
    sites
        ``labelled``: each atom has a bias and a weight of its own.
    """

    def __init__(
        self, *, inputs: int, hidden: int, elements: Elements, atoms: int, sites: Sites
    ) -> None:
        super().__init__(elements=elements, atoms=atoms, sites=sites)
        labelled, outputs = sites == "labelled", len(elements)
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
        """Sum of atomic outputs, and the sum of hidden layers (without signs it is linear in)."""
        hidden = self.hidden(invariants)
        pooled = hidden.sum(1)
        if self.site_sign is None:
            return times(pooled, self.outer), pooled
        return self.signed(times(hidden, self.outer)).sum(1), pooled


def diabatic_matrix(
    diagonal: Float[Tensor, "molecule diabat"],
    offdiagonal: Float[Tensor, "molecule pair"],
    *,
    limit: float,
    bound: Bound,
) -> Float[Tensor, "molecule diabat diabat"]:
    """Assemble W from its diagonal and its unbounded off-diagonal elements.

    Parameters
    ----------
    diagonal, offdiagonal
        W_kk, and the elements w above the diagonal, row by row.
    limit, bound
        L, and the form of what |W_kl| stays below: L tanh(w/L) or (2L/π) arctan(πw/2L). Training
        throws w beyond L in its first steps. There tanh has no slope in single precision, and W
        stays at its bound for good; that of arctan falls as 1/w², from where Adam comes back.
    """
    matrix = torch.diag_embed(diagonal)
    diabats = matrix.shape[1]
    row, column = torch.triu_indices(diabats, diabats, offset=1, device=matrix.device)
    upper = torch.zeros_like(matrix)
    upper[:, row, column] = bounded(offdiagonal, limit=limit, bound=bound)
    return matrix + upper + upper.mT


def bounded(
    element: Float[Tensor, "*shape"], *, limit: float, bound: Bound
) -> Float[Tensor, "*shape"]:
    """An element of slope 1 at zero that stays below ``limit``."""
    if bound == "tanh":
        return limit * torch.tanh(element / limit)
    reach = 2.0 * limit / math.pi
    return reach * torch.atan(element / reach)


class QuasiDiabaticReadout(nn.Module):
    """W, symmetric [molecule, diabat, diabat], in units of the model's scale (1 eV).

    Off-diagonal elements are bounded (:func:`diabatic_matrix`). The invariants are polynomials of
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
        offdiagonal_bound: Bound,
    ) -> None:
        super().__init__()
        self.limit, self.bound = offdiagonal_limit, offdiagonal_bound

        def readout(elements: Elements, *, offdiagonal: bool) -> AtomicSum:
            return AtomicSum(
                inputs=inputs,
                hidden=hidden,
                elements=elements,
                atoms=atoms,
                sites=sites_of(labels, offdiagonal=offdiagonal),
            )

        self.diagonal = readout(diagonal(diabats), offdiagonal=False)
        pairs = above_diagonal(diabats)
        self.offdiagonal = readout(pairs, offdiagonal=True) if pairs else None

    def forward(
        self, invariants: Float[Tensor, "molecule atom feature"]
    ) -> tuple[Float[Tensor, "molecule diabat diabat"], Float[Tensor, "molecule learned"]]:
        """The matrix, and what its last layers read."""
        own, pooled = self.diagonal(invariants)
        if self.offdiagonal is None:
            return torch.diag_embed(own), pooled
        offdiagonal, more = self.offdiagonal(invariants)
        matrix = diabatic_matrix(own, offdiagonal, limit=self.limit, bound=self.bound)
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
            inputs=inputs,
            hidden=hidden,
            elements=diagonal(states),
            atoms=atoms,
            sites=sites_of(labels, offdiagonal=False),
        )

    def forward(
        self, invariants: Float[Tensor, "molecule atom feature"]
    ) -> tuple[Float[Tensor, "molecule state state"], Float[Tensor, "molecule learned"]]:
        """The energies on the diagonal, and what their last layer reads."""
        energies, pooled = self.diagonal(invariants)
        return torch.diag_embed(energies), pooled

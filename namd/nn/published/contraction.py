"""Symmetric contraction: MACE's product basis (eqs. 10 and 11).

    B^{LM} = Σ_ν Σ_η w_η^{(z)} Σ_{lm} C^{LM}_{η, l1m1 … lνmν} A_{l1m1} … A_{lνmν}

channel by channel, with weights w per element z of the centre, channel and coupling tree η. All
monomials of the components are formed once; weights and coefficients are then contracted to one
matrix per element and channel, which acts on the monomials of all atoms of that element.
"""

from collections.abc import Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.linear import components
from namd.nn.published.trees import independent_basis, monomial_indices


class SymmetricContraction(nn.Module):
    """Polynomial of one equivariant feature per atom, up to a given degree.

    Parameters
    ----------
    input_l, output_l
        Highest l of the feature and of the result.
    degree
        Highest number of factors: MACE's correlation order.
    channels
        Channels.
    counts
        Number of atoms of each element; atoms are sorted by element.
    """

    def __init__(
        self, *, input_l: int, output_l: int, degree: int, channels: int, counts: Sequence[int]
    ) -> None:
        super().__init__()
        self.counts = list(counts)
        self.degree = degree
        self.outputs = output_l + 1
        size = components(input_l)
        self.starts = [_first_with_leading(size, d) for d in range(1, degree)]
        self.weights = nn.ParameterList()
        for term, (nu, l) in enumerate(self.terms()):
            basis, trees = independent_basis(input_l, nu, l)
            # In double precision: see clebsch_gordan.
            self.register_buffer(f"basis{term}", torch.from_numpy(basis), persistent=False)
            self.register_buffer(f"trees{term}", torch.from_numpy(trees), persistent=False)
            number = trees.shape[1]
            self.weights.append(torch.randn(len(counts), number, channels) / number)

    def terms(self) -> list[tuple[int, int]]:
        """(ν, L) of every weight, in their order."""
        return list(product(range(1, self.degree + 1), range(self.outputs)))

    def coefficients(self) -> Float[Tensor, "element channel component monomial"]:
        """The matrix that acts on the monomials, from the weights of the trees."""
        columns = []
        for nu in range(self.degree):
            rows = []
            for l in range(self.outputs):
                term = nu * self.outputs + l
                weight = self.weights[term]
                basis = self.get_buffer(f"basis{term}").to(weight.dtype)
                trees = self.get_buffer(f"trees{term}").to(weight.dtype)
                weight = (trees @ weight).transpose(0, 1)  # [rank, element, channel]
                flat = basis.flatten(0, 1) @ weight.flatten(1)
                rows.append(flat.unflatten(0, basis.shape[:2]).unflatten(2, weight.shape[1:]))
            columns.append(torch.cat(rows))
        return torch.cat(columns, dim=1).permute(2, 3, 0, 1)

    def monomials(
        self, feature: Float[Tensor, "channel component node"]
    ) -> Float[Tensor, "channel monomial node"]:
        """All products of one to ``degree`` components."""
        powers = [feature]
        for starts in self.starts:
            last = powers[-1]
            grown = [feature[:, i : i + 1] * last[:, first:] for i, first in enumerate(starts)]
            powers.append(torch.cat(grown, dim=1))
        return torch.cat(powers, dim=1)

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"]
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Contract the feature of every atom with itself."""
        coefficients = self.coefficients()
        results = []
        for element, atoms in enumerate(torch.split(feature, self.counts, dim=1)):
            stacked = atoms.permute(3, 2, 0, 1).flatten(2)
            polynomial = coefficients[element] @ self.monomials(stacked)
            unstacked = polynomial.view(*polynomial.shape[:2], *atoms.shape[:2])
            results.append(unstacked.permute(2, 3, 1, 0))
        return torch.cat(results, dim=1)


def _first_with_leading(size: int, degree: int) -> list[int]:
    """Position of the first monomial of a degree whose leading index is i, for every i."""
    leading = [monomial[0] for monomial in monomial_indices(size, degree)]
    return [leading.index(i) for i in range(size)]

"""Symmetric contraction: MACE's product basis (eqs. 10 and 11).

    B^{LM} = Σ_ν Σ_η w_η^{(z)} Σ_{lm} C^{LM}_{η, l1m1 … lνmν} A_{l1m1} … A_{lνmν}

channel by channel, with weights w per element z of the centre, channel and coupling tree η. All
monomials of the components are formed once; weights and coefficients are then contracted to one
matrix per element and channel, which acts on the monomials of all atoms of that element.
"""

from collections.abc import Sequence
from itertools import accumulate, product
from math import comb

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.nn.fusion.paths import CouplingTable
from namd.nn.fusion.product import PathProducts
from namd.nn.linear import components
from namd.nn.published.trees import independent_basis, monomial_indices

_ZERO = 1e-10


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
        self.weights = nn.ParameterList()
        size = components(input_l)
        places = []
        for term, (nu, l) in enumerate(self.terms()):
            basis, trees = independent_basis(input_l, nu, l)
            m, monomial = np.nonzero(np.abs(basis).max(-1) > _ZERO)
            # In double precision: see clebsch_gordan.
            self.register_buffer(
                f"basis{term}", torch.from_numpy(basis[m, monomial]), persistent=False
            )
            self.register_buffer(f"trees{term}", torch.from_numpy(trees), persistent=False)
            number = trees.shape[1]
            self.weights.append(torch.randn(len(counts), number, channels) / number)
            places.append((nu, l * l + m, monomial))
        self.powers = nn.ModuleList(
            PathProducts(table=_power_table(size, nu), channels=channels) for nu in range(2, degree)
        )
        table = _polynomial_table(places, size=size, outputs=components(output_l), degree=degree)
        self.polynomial = PathProducts(table=table, channels=channels)

    def terms(self) -> list[tuple[int, int]]:
        """(ν, L) of every weight, in their order."""
        return list(product(range(1, self.degree + 1), range(self.outputs)))

    def coefficients(self) -> Float[Tensor, "element nonzero channel"]:
        """What the monomials are multiplied with, from the weights of the trees."""
        rows = []
        for term, weight in enumerate(self.weights):
            basis = self.get_buffer(f"basis{term}").to(weight.dtype)
            rows.append(basis @ (self.get_buffer(f"trees{term}").to(weight.dtype) @ weight))
        return torch.cat(rows, dim=1)

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"]
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Contract the feature of every atom with itself."""
        results = []
        for atoms, coefficients in zip(
            torch.split(feature, self.counts, dim=1), self.coefficients(), strict=True
        ):
            legs = atoms.permute(2, 0, 1, 3).flatten(1, 2)  # [component, node, channel]
            powers = [torch.ones_like(legs[:1]), legs]
            for power in self.powers:
                powers.append(power(powers[-1], legs))
            lower = torch.cat(powers[: self.degree])
            contracted = self.polynomial(lower, legs, coefficients)
            results.append(contracted.unflatten(1, atoms.shape[:2]))
        return torch.cat(results, dim=2).permute(1, 2, 0, 3)


def _leading(size: int, degree: int) -> Int[np.ndarray, "2 monomial"]:
    """Every monomial of a degree as a component times a monomial of one degree less.

    Returns
    -------
    array
        Number of the monomial of one degree less, and the component.
    """
    number = {rest: n for n, rest in enumerate(monomial_indices(size, degree - 1))}
    found = [
        (number[rest], leading)
        for leading, *others in monomial_indices(size, degree)
        for rest in [tuple(others)]
    ]
    return np.array(found).T


def _power_table(size: int, degree: int) -> CouplingTable:
    """All monomials of a degree from those of one degree less and the feature."""
    rest, leading = _leading(size, degree)
    return CouplingTable(
        paths=((0, 0, 0),),
        first=rest,
        second=leading,
        output=np.arange(len(rest)),
        path=np.zeros_like(rest),
        value=np.ones(len(rest)),
        dimensions=(comb(size + degree - 2, degree - 1), size, len(rest)),
    )


def _polynomial_table(
    places: Sequence[tuple[int, np.ndarray, np.ndarray]], *, size: int, outputs: int, degree: int
) -> CouplingTable:
    """A path for every coefficient, from all monomials of lower degrees (1 first) and the feature.

    ``places``: degree, and for each coefficient the component it leads to and its monomial.
    """
    numbers = [comb(size + nu - 1, nu) for nu in range(degree)]
    starts = list(accumulate(numbers, initial=0))
    first, second, output = [], [], []
    for nu, result, monomial in places:
        rest, leading = _leading(size, nu)[:, monomial]
        first.append(starts[nu - 1] + rest)
        second.append(leading)
        output.append(result)
    columns = tuple(np.concatenate(column) for column in (first, second, output))
    return CouplingTable(
        paths=tuple(zip(*(column.tolist() for column in columns), strict=True)),
        first=columns[0],
        second=columns[1],
        output=columns[2],
        path=np.arange(len(columns[0])),
        value=np.ones(len(columns[0])),
        dimensions=(starts[-1], size, outputs),
    )

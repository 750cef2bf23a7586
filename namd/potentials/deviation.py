r"""Mean and spread of what several models predict, and the factors that make errors of a spread.

.. math::

    \bar x = x_1 + \frac1M \sum_m (x_m - x_1), \qquad
    \sigma^2 = \frac{1}{M-1} \sum_m (x_m - \bar x)^2

Written about the first member the mean of equal numbers is that number, bit for bit, and total
energies near −1000 Hartree lose no digits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.potentials.signs import signs_of_couplings, turn_couplings


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Factors from a deviation as it comes to the expected error, fitted on validation frames.

    Parameters
    ----------
    energy, gap, force, coupling
        Of each quantity. For deviations over members they are pure numbers; for the distance of one
        model's features (:mod:`namd.nn.distance`) Hartree and Hartree/Bohr.
    """

    energy: float = 1.0
    gap: float = 1.0
    force: float = 1.0
    coupling: float = 1.0

    @classmethod
    def of(cls, stored: Mapping[str, float]) -> "Scales":
        """Those of a file; one of what it does not have."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in stored.items() if name in known})


def mean_of(values: Sequence[Tensor]) -> Tensor:
    """Mean over the members."""
    first, *others = values
    return first + reduce(torch.add, [other - first for other in others]) / len(values)


def deviation_of(values: Sequence[Tensor]) -> Tensor:
    """Standard deviation over the members, with M − 1 in the denominator."""
    first = values[0]
    apart = [value - first for value in values]
    mean = reduce(torch.add, apart) / len(values)
    squares = reduce(torch.add, ((each - mean).square() for each in apart))
    return (squares / (len(values) - 1)).sqrt()


def gaps_of(energies: Float64[Tensor, "traj state"]) -> Float64[Tensor, "traj pair"]:
    """E_j − E_i of all pairs i < j, Hartree."""
    states = energies.shape[1]
    first, second = torch.triu_indices(states, states, offset=1, device=energies.device)
    return energies[:, second] - energies[:, first]


def in_one_gauge(
    couplings: Sequence[Float64[Tensor, "traj pair atom 3"]], *, states: int
) -> list[Float64[Tensor, "traj pair atom 3"]]:
    """Couplings of all members in the gauge of the first one, nearest to which they are turned."""
    return [
        turn_couplings(each, signs_of_couplings(couplings[0], each, states=states))
        for each in couplings
    ]


def largest_atom(
    deviation: Float64[Tensor, "*row atom 3"],
) -> Float64[Tensor, "*row"]:
    """Length of the deviation of a vector at the atom where it is longest."""
    return deviation.square().sum(-1).amax(-1).sqrt()

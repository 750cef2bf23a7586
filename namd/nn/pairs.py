"""Geometry of all ordered atom pairs of a batch: radial basis times spherical harmonics.

Fixed molecule, many copies: dense all-pairs arrays, no neighbour lists. The one array the network
consumes is G[b, i, lm, j, n] = B_n(r_ij) Y_lm(r̂_ij), from which densities and messages are matrix
products over j.

The radial functions are learned: a small perceptron of sines, with a bias per pair of elements,

    B_n(r) = f(r) [s V + silu(s U + b_{z_i z_j}) W]_n,   s_k = √2 sin(kπr/r_c) r_c/r

(s: Gasteiger, Groß, Günnemann, ICLR 2020, arXiv:2003.03123, eq. 7; f: their envelope of order
p = 6, eq. 8, which vanishes with two derivatives at the cut-off). Few learned functions replace
many fixed ones, and the cost of everything after them is proportional to their number. Harmonics
are e3nn's real ones in ``component`` normalisation.
"""

import math

import torch
from e3nn import o3
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

_ENVELOPE_ORDER = 6
_SINES = 8
_HIDDEN = 32


def envelope(
    x: Float[Tensor, "*shape"], *, order: int = _ENVELOPE_ORDER
) -> Float[Tensor, "*shape"]:
    """Smooth cut-off of order p: 1 at x = 0, 0 with two vanishing derivatives for x ≥ 1."""
    p = order
    polynomial = (
        1.0
        - (p + 1) * (p + 2) / 2 * x**p
        + p * (p + 2) * x ** (p + 1)
        - p * (p + 1) / 2 * x ** (p + 2)
    )
    return torch.where(x < 1.0, polynomial, torch.zeros_like(x))


class PairBasis(nn.Module):
    """Radial basis times harmonics of every ordered pair i ≠ j.

    Parameters
    ----------
    cutoff
        r_c in Bohr.
    radial
        Number of radial functions n.
    l_max
        Highest l of the harmonics.
    elements
        Index of each atom's element in the list of distinct elements.
    """

    not_self: Tensor
    order: Tensor
    kinds: Tensor

    def __init__(
        self, *, cutoff: float, radial: int, l_max: int, elements: Int[Tensor, " atom"]
    ) -> None:
        super().__init__()
        atoms, number = len(elements), int(elements.max()) + 1
        self.cutoff = cutoff
        self.radial = radial
        self.l_max = l_max
        not_self: Bool[Tensor, "atom atom"] = ~torch.eye(atoms, dtype=torch.bool)
        self.register_buffer("not_self", not_self, persistent=False)
        self.register_buffer("order", torch.arange(1, _SINES + 1), persistent=False)
        pair_kind = elements[:, None] * number + elements
        self.register_buffer("kinds", pair_kind, persistent=False)
        self.straight = nn.Parameter(torch.randn(_SINES, radial) / _SINES**0.5)
        self.inner = nn.Linear(_SINES, _HIDDEN, bias=False)
        self.bias = nn.Parameter(torch.randn(number * number, _HIDDEN))
        self.outer = nn.Parameter(torch.randn(_HIDDEN, radial) / _HIDDEN**0.5)

    def forward(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule atom component atom radial"]:
        """G[b, i, lm, j, n] with Y of the vector from i to j; zero for i = j."""
        vectors = positions[:, None, :, :] - positions[:, :, None, :]
        # A unit vector on the diagonal keeps every derivative finite; the mask removes it.
        vectors = torch.where(self.not_self[..., None], vectors, torch.ones_like(vectors))
        distance = vectors.square().sum(-1).sqrt()
        scaled = distance / self.cutoff
        window = torch.where(self.not_self, envelope(scaled), torch.zeros_like(scaled))
        waves = torch.sin(math.pi * scaled[..., None] * self.order)
        # √2·(…): unit mean square over a sphere of radius r_c.
        sines = waves * (math.sqrt(2.0) / scaled)[..., None]
        hidden = nn.functional.silu(self.inner(sines) + self.bias[self.kinds])
        basis = (sines @ self.straight + hidden @ self.outer) * window[..., None]
        harmonics = o3.spherical_harmonics(
            list(range(self.l_max + 1)),
            vectors / distance[..., None],
            normalize=False,
            normalization="component",
        )
        turned = harmonics.transpose(2, 3).contiguous()  # so that the product is contiguous, too
        pairs: Tensor = turned[..., None] * basis[:, :, None, :, :]
        return pairs

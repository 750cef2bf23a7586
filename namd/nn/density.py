"""Atomic densities: what surrounds each atom, per element and radial function."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.nn.linear import ChannelMix, components


class Density(nn.Module):
    """A[lm, (b, i), t, c]: several differently mixed densities of every atom.

    D[b, i, lm, (z, n)] = Σ_{j of element z} G[b, i, lm, j, n]; each l's (z, n) channels are divided
    by their root mean square over a sample of geometries (:meth:`calibrate`), mixed to
    ``copies × channels`` (the distinct legs of the fusion block), and scaled channel by channel
    with a factor learned per element of the centre i.

    Parameters
    ----------
    elements
        Index of each atom's element in the list of distinct elements.
    radial, l_max, channels, copies
        Radial functions, highest l, channels per leg, number of legs.
    """

    elements: Tensor
    gather: Tensor
    spread: Tensor

    def __init__(
        self,
        *,
        elements: Int[Tensor, " atom"],
        radial: int,
        l_max: int,
        channels: int,
        copies: int,
    ) -> None:
        super().__init__()
        kinds = int(elements.max()) + 1
        self.l_max = l_max
        one_hot = torch.nn.functional.one_hot(elements, kinds).to(torch.get_default_dtype())
        # [(j, n), (z, n')] = δ_{z, z_j} δ_{n n'}: the sum over neighbours as one matrix product.
        gather = torch.einsum("jz,nm->jnzm", one_hot, torch.eye(radial, dtype=one_hot.dtype))
        self.register_buffer(
            "gather", gather.reshape(len(elements) * radial, kinds * radial), persistent=False
        )
        self.register_buffer("elements", elements, persistent=False)
        self.register_buffer("spread", torch.ones(components(l_max), kinds * radial))
        self.mix = ChannelMix(l_max=l_max, inputs=kinds * radial, outputs=copies * channels)
        self.centre = nn.Parameter(
            1.0 + 0.3 * torch.randn(kinds, copies * channels, dtype=one_hot.dtype)
        )
        self.copies = copies

    def raw(
        self, pairs: Float[Tensor, "molecule atom component atom radial"]
    ) -> Float[Tensor, "molecule atom component kind_radial"]:
        """D, before normalisation."""
        return pairs.flatten(-2) @ self.gather

    @torch.no_grad()
    def calibrate(self, pairs: Float[Tensor, "molecule atom component atom radial"]) -> None:
        """Set the normalisation from a sample of geometries; one number per l and (z, n)."""
        square = self.raw(pairs).square().mean(dim=(0, 1))
        for l in range(self.l_max + 1):
            rows = slice(l * l, (l + 1) ** 2)
            self.spread[rows] = square[rows].mean(0).sqrt().clamp_min(1e-3)

    def forward(
        self, pairs: Float[Tensor, "molecule atom component atom radial"]
    ) -> tuple[Float[Tensor, "component node channel"], ...]:
        """The legs, each [lm, molecule·atom, channel]."""
        density = self.raw(pairs) / self.spread
        stacked = density.permute(2, 0, 1, 3).flatten(1, 2).contiguous()
        legs: Tensor = self.mix(stacked)
        centre = self.centre[self.elements].repeat(pairs.shape[0], 1)
        return tuple(leg.contiguous() for leg in torch.chunk(legs * centre, self.copies, dim=-1))

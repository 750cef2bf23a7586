"""The node-wise fusion block of our network: a left comb of products, its prefixes mixed.

A fusion diagram with legs x₁ … x_ν joined as ((x₁ ⊗ x₂)_{k₁} ⊗ x₃)_{k₂} … is evaluated node
by node; its internal spins k₁, k₂, … run over all allowed values up to ``internal_l``, each with
its own channel-wise weight. The block's output is [x₁ ⊕ T₂ ⊕ … ⊕ T_ν] W: every prefix of the comb
is kept, and one learned channel mix per output irrep follows (Algorithm 1 of Li et al. 2024,
doi:10.1088/2632-2153/ad4a04). Unlike the sparse mode of :mod:`namd.nn.fusion.block` it adds up the
diagrams of all internal spins before they are mixed.

Node-wise evaluation equals the paper's edge-wise one: the sum over neighbours is linear and
commutes with the products by features of the centre.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import natural_irreps
from namd.nn.fusion.paths import coupling_table
from namd.nn.fusion.product import ClebschGordanProduct
from namd.nn.fusion.tree import Leg, Tree, Vertex
from namd.nn.linear import ChannelMix, components


class FusionComb(nn.Module):
    """Left comb over given legs, with a channel mix of all its prefixes.

    Parameters
    ----------
    leg_l
        Highest l of each leg, in the comb's order.
    internal_l
        Highest internal spin.
    output_l
        Highest l of the output; None where only the scalars are wanted: the last product then
        makes no more than these, and nothing is mixed.
    channels
        Channels of every leg and of the output.
    """

    def __init__(
        self, *, leg_l: Sequence[int], internal_l: int, output_l: int | None, channels: int
    ) -> None:
        super().__init__()
        products = []
        self.leg_l = tuple(leg_l)
        left = leg_l[0]
        prefixes = [left]
        for position, right in enumerate(leg_l[1:], start=1):
            last = position == len(leg_l) - 1
            target = (output_l or 0) if last else internal_l
            table = coupling_table(left, right, min(target, left + right))
            products.append(ClebschGordanProduct(table=table, channels=channels))
            left = min(target, left + right)
            prefixes.append(left)
        self.products = nn.ModuleList(products)
        self.prefixes = tuple(prefixes)
        self.mix = None
        if output_l is None:
            return
        if min(prefixes) < output_l:
            raise ValueError(f"legs {tuple(leg_l)} cannot all reach output l = {output_l}")
        self.mix = ChannelMix(l_max=output_l, inputs=len(prefixes) * channels, outputs=channels)

    def diagrams(self, names: Sequence[str]) -> tuple[FusionDiagram, ...]:
        """Every prefix of the comb over legs of these names."""
        legs = [Leg(n, natural_irreps(l)) for n, l in zip(names, self.leg_l, strict=True)]
        tree: Tree = legs[0]
        found = [FusionDiagram(tree)]
        for leg, l in zip(legs[1:], self.prefixes[1:], strict=True):
            tree = Vertex(tree, leg, natural_irreps(l))
            found.append(FusionDiagram(tree))
        return tuple(found)

    def forward(
        self, legs: Sequence[Float[Tensor, "_ node channel"]]
    ) -> tuple[Float[Tensor, "_ node channel"] | None, Float[Tensor, "node _"]]:
        """Mixed output if asked for, and the scalars of every prefix before mixing."""
        prefixes = [legs[0]]
        for product, leg in zip(self.products, legs[1:], strict=True):
            prefixes.append(product(prefixes[-1], leg))
        scalars = torch.cat([p[0] for p in prefixes], dim=-1)
        if self.mix is None:
            return None, scalars
        kept = components(self.mix.l_max)
        return self.mix(torch.cat([p[:kept] for p in prefixes], dim=-1)), scalars

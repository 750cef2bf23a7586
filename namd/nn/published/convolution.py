"""Equivariant convolution over neighbours (MACE, eqs. 8 and 9).

    A_i^{l3} = Σ_p W_p Σ_j R_p(r_ij) [Y^{l2}(r̂_ij) ⊗ h_j^{l1}]^{l3},    p = (l1, l2, l3)

channel by channel; each path p has its own radial weight per channel. The harmonics are coupled
first, where there are no channels yet, and the sum over j and m1 is then one matrix product per
centre.

References
----------
Batatia et al., "MACE: Higher order equivariant message passing neural networks for fast and
accurate force fields", NeurIPS 2022, arXiv:2206.07697.
"""

from collections.abc import Sequence

import torch
from e3nn import o3
from jaxtyping import Float, Float64
from torch import Tensor, nn

from namd.nn.fusion.paths import natural_paths
from namd.nn.linear import block
from namd.nn.published.edges import Edges
from namd.nn.published.maps import IrrepLinear, Perceptron, parts


def clebsch_gordan(l1: int, l2: int, l3: int) -> Float64[Tensor, "first second third"]:
    """Real Clebsch–Gordan tensor in component normalisation: √(2 l3 + 1) times the 3j symbol.

    Tables stay in double precision and are rounded where they are used, so that a network turned
    to float64 is equivariant to its last digits.
    """
    tensor: Tensor = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
    scaled: Tensor = tensor * (2 * l3 + 1) ** 0.5
    return scaled


class CoupledHarmonics(nn.Module):
    """Z[m1, m3] = Σ_m2 C_{m1 m2 m3} Y_{m2}: a path with its harmonic already filled in."""

    table: Tensor

    def __init__(self, l1: int, l2: int, l3: int) -> None:
        super().__init__()
        self.l2 = l2
        self.register_buffer(
            "table", clebsch_gordan(l1, l2, l3).transpose(0, 1).contiguous(), persistent=False
        )

    def forward(self, edges: Edges) -> Float[Tensor, "molecule atom atom first third"]:
        """Couple the harmonics of every edge."""
        harmonic = edges.harmonics[..., block(self.l2)]
        coupled: Tensor = harmonic @ self.table.to(harmonic.dtype).flatten(1)
        return coupled.view(*coupled.shape[:-1], *self.table.shape[1:])


def neighbour_sum(
    source: Float[Tensor, "molecule centre atom first channel"],
    radial: Float[Tensor, "molecule atom atom channel"],
    coupled: Float[Tensor, "molecule atom atom first third"],
) -> Float[Tensor, "molecule atom third channel"]:
    """Σ_j Σ_m1 Z[i, j, m1, m3] R[i, j] s[i, j, m1]; the source may be the same for all centres."""
    weighted = (source * radial[..., None, :]).flatten(2, 3)
    return coupled.flatten(2, 3).mT @ weighted


class Convolution(nn.Module):
    """Sum over neighbours with a radial perceptron, and a mix of all paths per output l.

    Parameters
    ----------
    input_l, harmonic_l, output_l
        Highest l of the neighbour's feature, of the harmonics and of the result.
    channels
        Channels throughout.
    radial_widths
        Number of radial functions and hidden widths of the radial perceptron.
    """

    def __init__(
        self,
        *,
        input_l: int,
        harmonic_l: int,
        output_l: int,
        channels: int,
        radial_widths: Sequence[int],
    ) -> None:
        super().__init__()
        paths = natural_paths(input_l, harmonic_l, output_l)
        self.paths = sorted(paths, key=lambda p: (p[2], p[0], p[1]))
        self.up = IrrepLinear(inputs=[channels] * (input_l + 1), outputs=channels)
        self.radial = Perceptron([*radial_widths, len(paths) * channels])
        self.couplings = nn.ModuleList(CoupledHarmonics(*path) for path in self.paths)
        into = [sum(path[2] == l for path in paths) * channels for l in range(output_l + 1)]
        self.mix = IrrepLinear(inputs=into, outputs=channels)

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"], edges: Edges
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Messages at every atom."""
        sources = [part[:, None] for part in parts(self.up(parts(feature)))]
        weights = self.radial(edges.waves).chunk(len(self.paths), dim=-1)
        messages: list[list[Tensor]] = [[] for _ in self.mix.weights]
        for (l1, _, l3), radial, couple in zip(self.paths, weights, self.couplings, strict=True):
            messages[l3].append(neighbour_sum(sources[l1], radial, couple(edges)))
        mixed: Tensor = self.mix([torch.cat(group, dim=-1) for group in messages])
        return mixed

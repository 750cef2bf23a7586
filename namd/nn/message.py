"""Message passing: neighbours' features carried over by harmonics of the bond.

    M_i = Σ_j Σ_n [Y(r̂_ij) ⊗ (w_n h_j)] B_n(r_ij)

The radial weights w_n[l, c] act on the neighbour's channels, so that the sum over j and n is one
matrix product per molecule; the Clebsch–Gordan product is taken once per node afterwards instead
of once per edge (linearity makes both the same).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion.paths import coupling_table, outer_table
from namd.nn.fusion.product import ClebschGordanProduct
from namd.nn.linear import components


class Message(nn.Module):
    """One sum over neighbours of harmonics times features.

    Parameters
    ----------
    harmonic_l, feature_l, output_l
        Highest l of the harmonics (all that ``pairs`` hold), of the neighbour's feature and of
        the message.
    radial, channels
        Radial functions and channels.
    neighbours
        Typical number of neighbours, by whose square root the sum is divided.
    """

    def __init__(
        self,
        *,
        harmonic_l: int,
        feature_l: int,
        output_l: int,
        radial: int,
        channels: int,
        neighbours: int,
    ) -> None:
        super().__init__()
        self.harmonics = components(harmonic_l)
        self.features = components(feature_l)
        self.register_buffer(
            "feature_of",
            torch.tensor([l for l in range(feature_l + 1) for _ in range(2 * l + 1)]),
            persistent=False,
        )
        scale = (radial * neighbours) ** -0.5
        self.radial = nn.Parameter(torch.randn(radial, feature_l + 1, channels) * scale)
        table = outer_table(coupling_table(harmonic_l, feature_l, output_l))
        self.couple = ClebschGordanProduct(table=table, channels=channels)

    feature_of: Tensor

    def forward(
        self,
        pairs: Float[Tensor, "molecule atom component atom radial"],
        feature: Float[Tensor, "full node channel"],
    ) -> Float[Tensor, "output node channel"]:
        """Messages at every node."""
        molecules, atoms = pairs.shape[0], pairs.shape[1]
        channels = feature.shape[-1]
        carried = feature[: self.features].reshape(-1, molecules, atoms, channels)
        carried = carried.permute(1, 2, 0, 3)
        weighted = carried[:, :, None] * self.radial[:, self.feature_of]  # [b, j, n, lm, c]
        left = pairs.reshape(molecules, atoms * self.harmonics, -1)
        summed = left @ weighted.reshape(molecules, -1, self.features * channels)
        outer = summed.reshape(molecules * atoms, self.harmonics * self.features, channels)
        outer = outer.transpose(0, 1).contiguous()
        message: Tensor = self.couple(outer, torch.ones_like(outer[:1]))
        return message

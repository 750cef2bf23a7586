"""Linear maps that commute with rotations: they mix channels, one matrix per l (Schur's lemma)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def components(l_max: int) -> int:
    """Number of stacked components of all l ≤ ``l_max``."""
    return (l_max + 1) ** 2


def block(l: int) -> slice:
    """Components l² … (l+1)² − 1 of one l in a stacked feature."""
    return slice(l * l, (l + 1) * (l + 1))


class ChannelMix(nn.Module):
    """y[lm, n, :] = x[lm, n, :] M_l: one learned matrix per l, no bias.

    Parameters
    ----------
    l_max
        Highest l kept; components of higher l in the input are dropped.
    inputs, outputs
        Number of channels.
    """

    def __init__(self, *, l_max: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.l_max = l_max
        self.weight = nn.Parameter(torch.randn(l_max + 1, inputs, outputs) / inputs**0.5)

    def forward(
        self, feature: Float[Tensor, "component node input"]
    ) -> Float[Tensor, "kept node output"]:
        """Mix the channels of every component with its l's matrix."""
        mixed = [feature[block(l)] @ self.weight[l] for l in range(self.l_max + 1)]
        return torch.cat(mixed)

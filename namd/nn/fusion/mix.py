"""The channel mix of a stack of irreps in which each may stand several times.

By Schur's lemma an equivariant linear map mixes channels only: all blocks of one irrep, side by
side, are multiplied with one learned matrix.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion.irreps import Irreps, canonical, offsets


def mix_stack(
    stack: Float[Tensor, "component row channel"],
    irreps: Irreps,
    matrices: Sequence[Float[Tensor, "_ output"]],
) -> Float[Tensor, "mixed row output"]:
    """Multiply the blocks of every distinct irrep, concatenated along channels, with its matrix.

    Parameters
    ----------
    stack
        Components of ``irreps``, one after the other.
    irreps
        What is stacked; an irrep may stand repeatedly.
    matrices
        One for each distinct irrep in canonical order, [blocks · channel, output].
    """
    starts = offsets(irreps)
    mixed = []
    for irrep, matrix in zip(canonical(irreps), matrices, strict=True):
        places = [start for start, other in zip(starts, irreps, strict=True) if other == irrep]
        blocks = [stack[start : start + irrep.dimension] for start in places]
        mixed.append(torch.cat(blocks, dim=-1) @ matrix)
    return torch.cat(mixed)


class PathMix(nn.Module):
    """A learned :func:`mix_stack`; the output holds every distinct irrep once.

    Parameters
    ----------
    irreps
        What is stacked in the input.
    channels, outputs
        Channels of each block of the input, and of the output.
    """

    def __init__(self, irreps: Irreps, *, channels: int, outputs: int) -> None:
        super().__init__()
        self.irreps = irreps
        self.channels = channels
        self.outputs = outputs
        self.weights = nn.ParameterList()
        for irrep in canonical(irreps):
            inputs = irreps.count(irrep) * channels
            self.weights.append(nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5))

    def forward(
        self, stack: Float[Tensor, "component row channel"]
    ) -> Float[Tensor, "mixed row output"]:
        """Mix the channels."""
        return mix_stack(stack, self.irreps, list(self.weights))

    def block(self, position: int) -> Float[Tensor, "channel output"]:
        """The matrix that the block at ``position`` of the stack is multiplied with."""
        irrep = self.irreps[position]
        before = self.irreps[:position].count(irrep) * self.channels
        weight: Tensor = self.weights[canonical(self.irreps).index(irrep)]
        return weight[before : before + self.channels]

    def flops(self, rows: int) -> int:
        """Floating-point operations for ``rows`` nodes."""
        sizes = zip(canonical(self.irreps), self.weights, strict=True)
        return sum(2 * irrep.dimension * weight.numel() * rows for irrep, weight in sizes)

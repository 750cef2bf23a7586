"""Learned maps in the parametrisation of the published networks.

Weights are drawn from N(0, 1) and divided by √(fan-in) whenever they are used, so that Adam moves
all of them at the same relative rate. Nonlinearities are scaled to unit second moment under a
standard normal input, as in e3nn (Geiger and Smidt, arXiv:2207.09453, section 4).

Features are stacked over l: ``[…, (L+1)², channel]``, component l² + m.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.linear import block


def _silu_scale() -> float:
    """⟨silu(z)²⟩^(−1/2) over z ~ N(0, 1), by Gauss–Hermite quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(120)
    square = (points / (1.0 + np.exp(-points))) ** 2
    return float((weights @ square / weights.sum()) ** -0.5)


SILU_SCALE = _silu_scale()


def scaled_silu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """silu(x) with unit second moment for standard normal x."""
    return nn.functional.silu(x) * SILU_SCALE


def parts(feature: Float[Tensor, "*batch component channel"]) -> list[Tensor]:
    """Views of a stacked feature, one per l."""
    l_max = round(feature.shape[-2] ** 0.5) - 1
    return [feature[..., block(l), :] for l in range(l_max + 1)]


class Perceptron(nn.Module):
    """Bias-free perceptron with scaled silu between its layers; zero in, zero out.

    Parameters
    ----------
    widths
        Inputs, hidden widths, outputs.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        shapes = pairwise(widths)
        self.weights = nn.ParameterList(torch.randn(rows, columns) for rows, columns in shapes)

    def forward(self, x: Float[Tensor, "*batch input"]) -> Float[Tensor, "*batch output"]:
        """Evaluate row by row."""
        for depth, weight in enumerate(self.weights):
            x = (x if depth == 0 else scaled_silu(x)) @ (weight / len(weight) ** 0.5)
        return x


class IrrepLinear(nn.Module):
    """One channel matrix per l (Schur's lemma), with its own number of inputs per l.

    Parameters
    ----------
    inputs
        Channels coming in, for l = 0, 1, ….
    outputs
        Channels going out of every l.
    """

    def __init__(self, *, inputs: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.randn(rows, outputs) for rows in inputs)

    def forward(
        self, features: Sequence[Float[Tensor, "*batch _ _"]]
    ) -> Float[Tensor, "*batch component output"]:
        """Mix the channels of each l; the result is stacked."""
        mixed = [
            feature @ (weight / len(weight) ** 0.5)
            for feature, weight in zip(features, self.weights, strict=True)
        ]
        return torch.cat(mixed, dim=-2)


class ElementLinear(nn.Module):
    """One channel matrix per l and element of the atom.

    Equal to a fully connected tensor product with the one-hot element, whose fan-in is
    elements × inputs.

    Parameters
    ----------
    l_max
        Highest l; components above it are dropped.
    channels
        Channels in and out.
    counts
        Number of atoms of each element; atoms are sorted by element.
    """

    def __init__(self, *, l_max: int, channels: int, counts: Sequence[int]) -> None:
        super().__init__()
        self.counts = list(counts)
        shape = (len(counts), channels, channels)
        self.weights = nn.ParameterList(torch.randn(shape) for _ in range(l_max + 1))

    def forward(
        self, feature: Float[Tensor, "molecule atom _ channel"]
    ) -> Float[Tensor, "molecule atom component channel"]:
        """Mix the channels of every atom with its element's matrices."""
        elements, channels = self.weights[0].shape[:2]
        scale = (elements * channels) ** -0.5
        rows = [
            torch.cat(
                [atoms[..., block(l), :] @ (w[e] * scale) for l, w in enumerate(self.weights)],
                dim=-2,
            )
            for e, atoms in enumerate(torch.split(feature, self.counts, dim=1))
        ]
        return torch.cat(rows, dim=1)

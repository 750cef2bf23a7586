"""Modules of the channel-wise Clebsch–Gordan product, with and without weights of their own.

    T(a, b, w)[k, n, c] = Σ_p w[p, c] Σ_ij C^p_ijk a[i, n, c] b[j, n, c]

What computes it, and its derivatives to any order, is in :mod:`namd.nn.fusion.operators`.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion.columns import registered
from namd.nn.fusion.operators import cg_product
from namd.nn.fusion.paths import CouplingTable


class _TableModule(nn.Module):
    """A module that holds a coupling table and the key its operators know it by."""

    def __init__(self, table: CouplingTable) -> None:
        super().__init__()
        self.table = table
        self.key = registered(table)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        registered(self.table)  # copied or unpickled, maybe in another process


class ClebschGordanProduct(_TableModule):
    """Weighted sum of all paths of a coupling table, channel by channel.

    Parameters
    ----------
    table
        The paths and their coefficients.
    channels
        Number of channels.

    Notes
    -----
    Weights start from a normal distribution of variance 1/(paths into the same l3), so that the
    output has the variance of the inputs' product.
    """

    def __init__(self, *, table: CouplingTable, channels: int) -> None:
        super().__init__(table)
        into = np.array([sum(q[2] == p[2] for q in table.paths) for p in table.paths])
        scale = torch.tensor(1.0 / np.sqrt(into), dtype=torch.get_default_dtype())
        self.weight = nn.Parameter(torch.randn(len(table.paths), channels) * scale[:, None])

    def forward(
        self,
        first: Float[Tensor, "first node channel"],
        second: Float[Tensor, "second node channel"],
    ) -> Float[Tensor, "output node channel"]:
        """Couple two stacked features node by node and channel by channel."""
        return cg_product(first, second, self.weight, self.key)

    def flops(self, rows: int) -> int:
        """Floating-point operations of one product of ``rows`` nodes."""
        return self.table.flops * self.weight.shape[1] * rows


class PathProducts(_TableModule):
    """The paths of a coupling table without weights of their own.

    Parameters
    ----------
    table
        Often with an output of its own for every path; see
        :func:`~namd.nn.fusion.paths.separate_table`.
    channels
        Number of channels.
    """

    def __init__(self, *, table: CouplingTable, channels: int) -> None:
        super().__init__(table)
        self.channels = channels

    def forward(
        self,
        first: Float[Tensor, "first node channel"],
        second: Float[Tensor, "second node channel"],
        weight: Float[Tensor, "path channel"] | None = None,
    ) -> Float[Tensor, "output node channel"]:
        """Couple two features node by node and channel by channel; all weights are 1 if None."""
        if weight is None:
            weight = first.new_ones(len(self.table.paths), self.channels)
        return cg_product(first, second, weight, self.key)

    def flops(self, rows: int) -> int:
        """Floating-point operations of one product of ``rows`` nodes."""
        return self.table.flops * self.channels * rows

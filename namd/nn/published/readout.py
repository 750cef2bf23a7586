"""Readouts of the published networks, one for every element of W.

MACE reads each layer's scalars linearly and the last one's by a perceptron with one hidden layer,
without biases (Batatia et al. 2022, arXiv:2206.07697, eqs. 13 and 14). Here every independent
element of the quasi-diabatic matrix W has a readout of its own; with one state that is MACE's. The
off-diagonal ones, where site labels are wanted, multiply each atom's contribution by a learned
number, or by its sign (see :mod:`namd.nn.readout` for why).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.config.architecture import Bound, SiteLabels
from namd.nn.published.maps import scaled_silu
from namd.nn.readout import (
    Elements,
    SignedReadout,
    Sites,
    above_diagonal,
    diabatic_matrix,
    diagonal,
    sites_of,
)

_START = 0.2  # the untrained W hardly departs from its shift: training starts from the mean


class ElementReadout(SignedReadout):
    """Σ_atoms of linear readouts of the first layers and a perceptron of the last.

    Parameters
    ----------
    layers
        Number of layers that are read.
    channels, hidden
        Scalars per layer, hidden width per output.
    elements, atoms
        As for :class:`~namd.nn.readout.SignedReadout`.
    sites
        ``labelled``: each atom's contribution is multiplied by a number of its own.
    """

    def __init__(
        self,
        *,
        layers: int,
        channels: int,
        hidden: int,
        elements: Elements,
        atoms: int,
        sites: Sites,
    ) -> None:
        super().__init__(elements=elements, atoms=atoms, sites=sites)
        outputs = len(elements)
        start = _START / atoms**0.5
        self.linear = nn.ParameterList(
            torch.randn(channels, outputs) * start for _ in range(layers - 1)
        )
        self.inner = nn.Parameter(torch.randn(outputs, channels, hidden))
        self.outer = nn.Parameter(torch.randn(outputs, hidden) * start)
        labelled = sites == "labelled"
        self.site_weight = nn.Parameter(torch.randn(atoms, outputs)) if labelled else None

    def forward(
        self, scalars: Sequence[Float[Tensor, "molecule atom channel"]]
    ) -> Float[Tensor, "molecule output"]:
        """Sum of all atoms' outputs."""
        _, channels, hidden = self.inner.shape
        wide = torch.einsum("bac,och->baoh", scalars[-1], self.inner / channels**0.5)
        outputs = (scaled_silu(wide) * (self.outer / hidden**0.5)).sum(-1)
        for feature, weight in zip(scalars[:-1], self.linear, strict=True):
            outputs = outputs + feature @ (weight / channels**0.5)
        if self.site_weight is not None:
            outputs = outputs * self.site_weight
        total: Tensor = self.signed(outputs).sum(1)
        return total


class MatrixReadout(nn.Module):
    """W in units of the model's scale from the scalars of every layer.

    Parameters
    ----------
    layers, channels, hidden, atoms
        As for :class:`ElementReadout`.
    diabats
        Size of W.
    labels
        Which elements have site labels.
    offdiagonal_limit, offdiagonal_bound
        Of off-diagonal elements, as in :func:`namd.nn.readout.diabatic_matrix`.
    """

    def __init__(
        self,
        *,
        layers: int,
        channels: int,
        hidden: int,
        atoms: int,
        diabats: int,
        labels: SiteLabels,
        offdiagonal_limit: float,
        offdiagonal_bound: Bound,
    ) -> None:
        super().__init__()
        self.limit, self.bound = offdiagonal_limit, offdiagonal_bound

        def readout(elements: Elements, *, offdiagonal: bool) -> ElementReadout:
            return ElementReadout(
                layers=layers,
                channels=channels,
                hidden=hidden,
                elements=elements,
                atoms=atoms,
                sites=sites_of(labels, offdiagonal=offdiagonal),
            )

        self.diagonal = readout(diagonal(diabats), offdiagonal=False)
        pairs = above_diagonal(diabats)
        self.offdiagonal = readout(pairs, offdiagonal=True) if pairs else None

    def forward(
        self, scalars: Sequence[Float[Tensor, "molecule atom channel"]]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """Assemble the matrix."""
        own = self.diagonal(scalars)
        if self.offdiagonal is None:
            return torch.diag_embed(own)
        elements = self.offdiagonal(scalars)
        return diabatic_matrix(own, elements, limit=self.limit, bound=self.bound)

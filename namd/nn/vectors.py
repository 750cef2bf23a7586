"""From atomic features to vectors at the atoms, and to pseudoscalars.

An equivariant readout may multiply vectors by invariants and mix their channels, nothing else:

    o_a = Σ_h g_h(s_a) (v_a M)_h w_h

with gates g of a perceptron of the atom's invariants s, labelled by site where wanted (see
:mod:`namd.nn.readout` for why). Three differently mixed vectors make a pseudoscalar (0o), which
changes sign under inversion: p_h = (v M₁)_h · ((v M₂)_h × (v M₃)_h).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.config.architecture import Bound, SiteLabels
from namd.nn.base import NodeFeatures
from namd.nn.readout import (
    AtomicPerceptron,
    AtomicSum,
    Elements,
    Sites,
    above_diagonal,
    diabatic_matrix,
    diagonal,
    sites_of,
    times,
)


def _mixing(inputs: int, outputs: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)


class AtomicVectors(AtomicPerceptron):
    """Polar vectors at every atom.

    Parameters
    ----------
    scalars, vectors
        Channels of the features.
    hidden, elements, atoms, sites
        As for :class:`namd.nn.readout.AtomicPerceptron`.
    """

    def __init__(
        self,
        *,
        scalars: int,
        vectors: int,
        hidden: int,
        elements: Elements,
        atoms: int,
        sites: Sites,
    ) -> None:
        super().__init__(inputs=scalars, hidden=hidden, elements=elements, atoms=atoms, sites=sites)
        self.mix = _mixing(vectors, hidden)

    def forward(self, features: NodeFeatures) -> Float[Tensor, "molecule output atom 3"]:
        """One vector per output and atom."""
        gates = self.hidden(features.scalars)[:, :, None]
        gated = times(features.vectors, self.mix) * gates
        vectors = times(gated, self.outer).transpose(1, 2)  # molecule, xyz, atom, output
        return self.signed(vectors).permute(0, 3, 2, 1)


class PseudoscalarSum(AtomicPerceptron):
    """Σ_atoms of gated pseudoscalars; parameters as of :class:`AtomicVectors`."""

    def __init__(
        self,
        *,
        scalars: int,
        vectors: int,
        hidden: int,
        elements: Elements,
        atoms: int,
        sites: Sites,
    ) -> None:
        super().__init__(inputs=scalars, hidden=hidden, elements=elements, atoms=atoms, sites=sites)
        self.mixes = nn.ParameterList(_mixing(vectors, hidden) for _ in range(3))

    def forward(self, features: NodeFeatures) -> Float[Tensor, "molecule output"]:
        """Sums that change sign under inversion."""
        one, two, three = (times(features.vectors, mix) for mix in self.mixes)
        triple = (one * torch.linalg.cross(two, three, dim=2)).sum(2)
        gated = self.hidden(features.scalars) * triple
        if self.site_sign is None:
            return times(gated.sum(1), self.outer)
        return self.signed(times(gated, self.outer)).sum(1)


class ParityReadout(nn.Module):
    """W of diabats some of which change sign under inversion.

    W(−R) = P W(R) P with P_kk = −1 for the odd diabats: elements between an even and an odd one
    are pseudoscalars, all others scalars. Energies are the same for mirror images, and an element
    between diabats of different parity vanishes wherever the molecule is planar, while its
    gradient out of the plane does not.

    Parameters
    ----------
    scalars, vectors, hidden, atoms
        As for :class:`AtomicVectors`.
    diabats, odd
        Size of W, and which of its diabats are odd, counted from 0.
    labels
        Which elements have site labels.
    offdiagonal_limit, offdiagonal_bound
        Of off-diagonal elements, as in :func:`namd.nn.readout.diabatic_matrix`.
    """

    same: Tensor
    different: Tensor

    def __init__(
        self,
        *,
        scalars: int,
        vectors: int,
        hidden: int,
        atoms: int,
        diabats: int,
        odd: tuple[int, ...],
        labels: SiteLabels,
        offdiagonal_limit: float,
        offdiagonal_bound: Bound,
    ) -> None:
        super().__init__()
        self.limit, self.bound = offdiagonal_limit, offdiagonal_bound
        pairs = above_diagonal(diabats)
        changes = torch.tensor([(row in odd) != (column in odd) for row, column in pairs])
        self.pairs = len(pairs)
        # Numbers of pairs, not a mask: indexing with a mask makes a GPU wait.
        self.register_buffer("same", (~changes).nonzero()[:, 0], persistent=False)
        self.register_buffer("different", changes.nonzero()[:, 0], persistent=False)
        self.diagonal = AtomicSum(
            inputs=scalars,
            hidden=hidden,
            elements=diagonal(diabats),
            atoms=atoms,
            sites=sites_of(labels, offdiagonal=False),
        )
        sites = sites_of(labels, offdiagonal=True)
        self.even = AtomicSum(
            inputs=scalars,
            hidden=hidden,
            elements=[pairs[k] for k in self.same.tolist()],
            atoms=atoms,
            sites=sites,
        )
        self.odd = PseudoscalarSum(
            scalars=scalars,
            vectors=vectors,
            hidden=hidden,
            elements=[pairs[k] for k in self.different.tolist()],
            atoms=atoms,
            sites=sites,
        )

    def forward(
        self, features: NodeFeatures
    ) -> tuple[Float[Tensor, "molecule diabat diabat"], Float[Tensor, "molecule learned"]]:
        """The matrix, and what the last layers of its scalar elements read."""
        own, pooled = self.diagonal(features.scalars)
        even, more = self.even(features.scalars)
        elements = own.new_zeros(len(own), self.pairs)
        elements[:, self.same] = even
        elements[:, self.different] = self.odd(features)
        matrix = diabatic_matrix(own, elements, limit=self.limit, bound=self.bound)
        return matrix, torch.cat([pooled, more], dim=1)

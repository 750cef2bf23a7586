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

from namd.nn.base import NodeFeatures
from namd.nn.readout import AtomicPerceptron, AtomicSum, SiteLabels, diabatic_matrix, times


def _mixing(inputs: int, outputs: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)


class AtomicVectors(AtomicPerceptron):
    """Polar vectors at every atom.

    Parameters
    ----------
    scalars, vectors
        Channels of the features.
    hidden, outputs, atoms, labelled
        As for :class:`namd.nn.readout.AtomicPerceptron`.
    """

    def __init__(
        self,
        *,
        scalars: int,
        vectors: int,
        hidden: int,
        outputs: int,
        atoms: int,
        labelled: bool,
    ) -> None:
        super().__init__(
            inputs=scalars, hidden=hidden, outputs=outputs, atoms=atoms, labelled=labelled
        )
        self.mix = _mixing(vectors, hidden)

    def forward(self, features: NodeFeatures) -> Float[Tensor, "molecule output atom 3"]:
        """One vector per output and atom."""
        gates = self.hidden(features.scalars)[:, :, None]
        gated = times(features.vectors, self.mix) * gates
        return times(gated, self.outer).permute(0, 3, 1, 2)


class PseudoscalarSum(AtomicPerceptron):
    """Σ_atoms of gated pseudoscalars; parameters as of :class:`AtomicVectors`."""

    def __init__(
        self,
        *,
        scalars: int,
        vectors: int,
        hidden: int,
        outputs: int,
        atoms: int,
        labelled: bool,
    ) -> None:
        super().__init__(
            inputs=scalars, hidden=hidden, outputs=outputs, atoms=atoms, labelled=labelled
        )
        self.mixes = nn.ParameterList(_mixing(vectors, hidden) for _ in range(3))

    def forward(self, features: NodeFeatures) -> Float[Tensor, "molecule output"]:
        """Sums that change sign under inversion."""
        one, two, three = (times(features.vectors, mix) for mix in self.mixes)
        triple = (one * torch.linalg.cross(two, three, dim=2)).sum(2)
        return times((self.hidden(features.scalars) * triple).sum(1), self.outer)


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
    offdiagonal_limit
        Smooth bound of off-diagonal elements, as in
        :class:`namd.nn.readout.QuasiDiabaticReadout`.
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
    ) -> None:
        super().__init__()
        self.limit = offdiagonal_limit
        parity = torch.tensor([k in odd for k in range(diabats)])
        row, column = torch.triu_indices(diabats, diabats, offset=1)
        changes = parity[row] != parity[column]
        self.pairs = len(changes)
        # Numbers of pairs, not a mask: indexing with a mask makes a GPU wait.
        self.register_buffer("same", (~changes).nonzero()[:, 0], persistent=False)
        self.register_buffer("different", changes.nonzero()[:, 0], persistent=False)
        self.diagonal = AtomicSum(
            inputs=scalars, hidden=hidden, outputs=diabats, atoms=atoms, labelled=labels == "all"
        )
        self.even = AtomicSum(
            inputs=scalars,
            hidden=hidden,
            outputs=len(self.same),
            atoms=atoms,
            labelled=labels != "none",
        )
        self.odd = PseudoscalarSum(
            scalars=scalars,
            vectors=vectors,
            hidden=hidden,
            outputs=len(self.different),
            atoms=atoms,
            labelled=labels != "none",
        )

    def forward(
        self, features: NodeFeatures
    ) -> tuple[Float[Tensor, "molecule diabat diabat"], Float[Tensor, "molecule learned"]]:
        """The matrix, and what the last layers of its scalar elements read."""
        diagonal, pooled = self.diagonal(features.scalars)
        even, more = self.even(features.scalars)
        elements = diagonal.new_zeros(len(diagonal), self.pairs)
        elements[:, self.same] = even
        elements[:, self.different] = self.odd(features)
        matrix = diabatic_matrix(diagonal, elements, limit=self.limit)
        return matrix, torch.cat([pooled, more], dim=1)

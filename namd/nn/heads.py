"""Vector outputs of every two diabats: couplings, their residual, dipoles.

*Direct head.* The states are the diabats of a diagonal W, and the coupling of two of them is a
learned symmetric field C_kl = C_lk. It is the control: nothing ties it to the energies.

*Residual of the quasi-diabatic head.* No finite number of states has a strictly diabatic basis
(C. A. Mead, D. G. Truhlar, J. Chem. Phys. 77, 6090 (1982), doi:10.1063/1.443853). What is left is
an antisymmetric field τ_kl = ⟨k|∇l⟩, smooth where the adiabatic coupling is not:

    d_ij = u_iᵀ(∇W)u_j / (E_j − E_i) + u_iᵀ τ u_j,   h_ij = u_iᵀ(∇W + [τ, W])u_j,

the covariant derivative of W in place of the plain one. [τ, W] has no diagonal elements between
eigenvectors of W: forces stay exact gradients of the energies.

Both are *translation-clean*: the mean over the atoms is removed, so that a coupling does not change
the momentum of the molecule.

*Dipoles.* μ_kl symmetric, ⟨i|μ|j⟩ = u_iᵀ μ u_j: the sum over the atoms of local vectors, free of
the origin. Permanent dipoles of charged molecules depend on it; only their differences enter here.
"""

from itertools import combinations_with_replacement

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.config.architecture import SiteLabels
from namd.config.head import DirectHead, Head
from namd.nn.base import NodeFeatures
from namd.nn.readout import Elements, above_diagonal, sites_of
from namd.nn.vectors import AtomicVectors


class VectorHeads(nn.Module):
    """The vector outputs a head asks for.

    Parameters
    ----------
    head
        Which outputs.
    diabats, scalars, vectors, hidden, atoms
        Size of W, channels of the features, hidden width, number of atoms.
    labels
        How elements above the diagonal treat equal atoms; dipoles of the diagonal are theirs too,
        but for signs.
    """

    def __init__(
        self,
        head: Head,
        *,
        diabats: int,
        scalars: int,
        vectors: int,
        hidden: int,
        atoms: int,
        labels: SiteLabels,
    ) -> None:
        super().__init__()
        self.diabats = diabats
        self.direct = isinstance(head, DirectHead)

        def readout(elements: Elements) -> AtomicVectors:
            return AtomicVectors(
                scalars=scalars,
                vectors=vectors,
                hidden=hidden,
                elements=elements,
                atoms=atoms,
                sites=sites_of(labels, offdiagonal=True),
            )

        fields = isinstance(head, DirectHead) or head.residual
        self.field = readout(above_diagonal(diabats)) if fields else None
        every = list(combinations_with_replacement(range(diabats), 2))
        self.dipole = readout(every) if head.dipoles else None

    @property
    def outputs(self) -> int:
        """How many vectors (1o) are read: per atom for fields, of the molecule for dipoles."""
        return sum(head.outer.shape[1] for head in (self.field, self.dipole) if head is not None)

    def fields(
        self, features: NodeFeatures
    ) -> Float[Tensor, "molecule diabat diabat atom 3"] | None:
        """C (symmetric) or τ (antisymmetric), without its mean over the atoms."""
        if self.field is None:
            return None
        vectors = self.field(features)
        vectors = vectors - vectors.mean(2, keepdim=True)
        row, column = torch.triu_indices(self.diabats, self.diabats, offset=1)
        shape = (len(vectors), self.diabats, self.diabats, *vectors.shape[2:])
        matrix: Tensor = vectors.new_zeros(shape)
        matrix[:, row, column] = vectors
        matrix[:, column, row] = vectors if self.direct else -vectors
        return matrix

    def dipoles(self, features: NodeFeatures) -> Float[Tensor, "molecule diabat diabat 3"] | None:
        """μ, symmetric, e·Bohr."""
        if self.dipole is None:
            return None
        vectors = self.dipole(features).sum(2)
        row, column = torch.triu_indices(self.diabats, self.diabats)
        matrix: Tensor = vectors.new_zeros(len(vectors), self.diabats, self.diabats, 3)
        matrix[:, row, column] = vectors
        matrix[:, column, row] = vectors
        return matrix

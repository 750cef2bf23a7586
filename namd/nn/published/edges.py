"""What the published networks see of a geometry: radial waves and harmonics of every ordered pair.

Radial functions are the Bessel waves of Gasteiger et al., "Directional message passing"
(arXiv:2003.03123, eqs. 7 and 8),

    B_n(r) = √(2/r_c) sin(nπr/r_c)/r · f_p(r/r_c),

with the polynomial envelope f_p that vanishes with two derivatives at r_c. Lengths are in Å, as in
the publications: the waves carry the dimension of an inverse square root.

Vectors point from the neighbour j to the centre i, as in MACE.
"""

import math
from dataclasses import dataclass

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.pairs import envelope
from namd.units import ANGSTROM_PER_BOHR


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """All ordered pairs of a batch; ``i`` is the centre, ``j`` the neighbour.

    Parameters
    ----------
    harmonics
        Real spherical harmonics of (r_i − r_j)/r, all l stacked, component normalisation.
    waves
        Radial functions, zero for i = j and beyond the cut-off.
    window
        The envelope, zero for i = j and beyond the cut-off.
    within
        1 within the cut-off, 0 else and for i = j.
    """

    harmonics: Float[Tensor, "molecule atom atom component"]
    waves: Float[Tensor, "molecule atom atom radial"]
    window: Float[Tensor, "molecule atom atom"]
    within: Float[Tensor, "molecule atom atom"]


class EdgeBasis(nn.Module):
    """Waves and harmonics of all pairs.

    Parameters
    ----------
    cutoff
        r_c in Å.
    radial
        Number of waves.
    l_max
        Highest l of the harmonics.
    envelope_order
        p of the envelope.
    atoms
        Number of atoms.
    """

    not_self: Tensor
    number: Tensor

    def __init__(
        self, *, cutoff: float, radial: int, l_max: int, envelope_order: int, atoms: int
    ) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.l_max = l_max
        self.envelope_order = envelope_order
        self.register_buffer("not_self", ~torch.eye(atoms, dtype=torch.bool), persistent=False)
        self.register_buffer("number", torch.arange(1, radial + 1), persistent=False)

    @torch.no_grad()
    def mean_neighbours(self, positions: Float[Tensor, "molecule atom 3"]) -> Float[Tensor, ""]:
        """n̄, the mean number of neighbours in geometries (Bohr), one at least."""
        mean: Tensor = self(positions).within.sum(-1).mean().clamp_min(1.0)
        return mean

    def forward(self, positions: Float[Tensor, "molecule atom 3"]) -> Edges:
        """Edges of ``positions`` in Bohr."""
        places = positions * ANGSTROM_PER_BOHR
        vectors = places[:, :, None, :] - places[:, None, :, :]
        # A unit vector on the diagonal keeps every derivative finite; the mask removes it.
        vectors = torch.where(self.not_self[..., None], vectors, torch.ones_like(vectors))
        distance = vectors.square().sum(-1).sqrt()
        scaled = distance / self.cutoff
        within = (self.not_self & (scaled < 1.0)).to(positions.dtype)
        window = envelope(scaled, order=self.envelope_order) * within
        waves = torch.sin(math.pi * scaled[..., None] * self.number)
        harmonics = o3.spherical_harmonics(
            list(range(self.l_max + 1)),
            vectors / distance[..., None],
            normalize=False,
            normalization="component",
        )
        return Edges(
            harmonics=harmonics,
            waves=waves * (math.sqrt(2.0 / self.cutoff) * window / distance)[..., None],
            window=window,
            within=within,
        )

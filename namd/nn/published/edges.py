"""What the published networks see of a geometry: radial waves and harmonics of every pair.

Radial functions are the Bessel waves of Gasteiger et al., "Directional message passing"
(arXiv:2003.03123, eqs. 7 and 8),

    B_n(r) = √(2/r_c) sin(nπr/r_c)/r · f_p(r/r_c),

with the polynomial envelope f_p that vanishes with two derivatives at r_c. Lengths are in Å, as in
the publications: the waves carry the dimension of an inverse square root.

Vectors point from the neighbour j to the centre i, as in MACE. What depends on the distance alone
is there once for i < j; harmonics are even or odd and known in both directions from one.
"""

import math
from dataclasses import dataclass

import torch
from e3nn import o3
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from namd.nn.pairs import envelope
from namd.nn.published.edge_form import Places
from namd.units import ANGSTROM_PER_BOHR


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """All pairs of a batch, i < j, and all edges: i is the centre, j the neighbour.

    Parameters
    ----------
    waves
        Radial functions of every pair, zero beyond the cut-off.
    window
        The envelope, zero beyond the cut-off.
    harmonics
        Real spherical harmonics of (r_i − r_j)/r, all l stacked, component normalisation; zero for
        i = j.
    within
        Whether an edge is within the cut-off; not for i = j.
    pair
        Number of the pair that an edge belongs to; any for i = j.
    """

    waves: Float[Tensor, "molecule pair radial"]
    window: Float[Tensor, "molecule pair"]
    harmonics: Float[Tensor, "molecule atom atom component"]
    within: Bool[Tensor, "molecule atom atom"]
    pair: Int[Tensor, "atom atom"]

    def places(self, source: Int[Tensor, "atom atom"], rows: int) -> Places:
        """Rows of every edge for sums over neighbours from ``rows`` sources."""
        atoms, pairs = len(self.pair), self.waves.shape[1]
        centre = torch.arange(atoms, device=self.pair.device)[:, None].expand(atoms, atoms)
        index = torch.stack([source, self.pair, centre])
        return Places(within=self.within, index=index, rows=(rows, pairs, atoms))

    def from_neighbours(self) -> Places:
        """Sources are atoms."""
        atoms = len(self.pair)
        return self.places(torch.arange(atoms, device=self.pair.device).expand(atoms, atoms), atoms)

    def from_edges(self) -> Places:
        """Sources are edges."""
        atoms = len(self.pair)
        number = torch.arange(atoms * atoms, device=self.pair.device)
        return self.places(number.view(atoms, atoms), atoms * atoms)


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

    first: Tensor
    second: Tensor
    pair: Tensor
    turn: Tensor
    number: Tensor

    def __init__(
        self, *, cutoff: float, radial: int, l_max: int, envelope_order: int, atoms: int
    ) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.l_max = l_max
        self.envelope_order = envelope_order
        first, second = torch.triu_indices(atoms, atoms, offset=1)
        pair = torch.zeros(atoms, atoms, dtype=torch.int64)
        pair[first, second] = pair[second, first] = torch.arange(len(first))
        # What turns the harmonics of i < j into those of an edge: 1, parity, or 0 for i = j.
        parity = torch.cat([torch.full((2 * l + 1,), (-1.0) ** l) for l in range(l_max + 1)])
        turn = torch.zeros(atoms, atoms, len(parity))
        turn[first, second], turn[second, first] = 1.0, parity
        for name, constant in (("first", first), ("second", second), ("pair", pair)):
            self.register_buffer(name, constant, persistent=False)
        self.register_buffer("turn", turn, persistent=False)
        self.register_buffer("number", torch.arange(1, radial + 1), persistent=False)

    @torch.no_grad()
    def mean_neighbours(self, positions: Float[Tensor, "molecule atom 3"]) -> Float[Tensor, ""]:
        """n̄, the mean number of neighbours in geometries (Bohr), one at least."""
        within = self(positions).within.to(positions.dtype)
        mean: Tensor = within.sum(-1).mean().clamp_min(1.0)
        return mean

    def forward(self, positions: Float[Tensor, "molecule atom 3"]) -> Edges:
        """Edges of ``positions`` in Bohr."""
        places = positions * ANGSTROM_PER_BOHR
        vectors = places[:, self.first] - places[:, self.second]
        distance = vectors.square().sum(-1).sqrt()
        scaled = distance / self.cutoff
        window = envelope(scaled, order=self.envelope_order)
        waves = torch.sin(math.pi * scaled[..., None] * self.number)
        harmonics = o3.spherical_harmonics(
            list(range(self.l_max + 1)),
            vectors / distance[..., None],
            normalize=False,
            normalization="component",
        )
        within = (scaled < 1.0)[:, self.pair]
        return Edges(
            waves=waves * (math.sqrt(2.0 / self.cutoff) * window / distance)[..., None],
            window=window,
            harmonics=harmonics[:, self.pair] * self.turn,
            within=within & (self.turn[..., 0] != 0),
            pair=self.pair,
        )

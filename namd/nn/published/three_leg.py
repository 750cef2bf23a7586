"""The fusion block of MoFD and CoFD: a root, its neighbours and the harmonics between them.

    ((F_i ⊗ F_j)_k ⊗ Y_ij)_J, summed over neighbours j with radial weights R(r_ij)

Internal irreps k have l ≤ 2 (``internal_l``) and both parities: (l1 l2)k with odd l1 + l2 + k is a
pseudo-tensor, which an odd vertex with Y turns into a true one again.

*Sparse*: one internal irrep per diagram, every vertex channel by channel without weights of its
own; what is learned is one mix of the incoming channels (shared by both legs), one radial function
per channel and l of Y, and one mix of the outgoing channels. For l ≤ 3, 8 radial functions and a
radial perceptron of hidden width 8 that is 8C² + 32C + 64, the difference between the published
sizes of MoFD-sparse and MACE. (The counts fit; the publication does not say that this is the only
way to split them.)

*Dense*: the internal irreps come in nested tuples (0), (0, 1), (0, 1, 2). Each tuple has its own
copy of each of its internal edges with a full channel mix over all vertices that lead into it;
every diagram has its own radial function; the outgoing mix sees all diagrams side by side.

References
----------
Li et al., Mach. Learn.: Sci. Technol. 5, 025044 (2024), doi:10.1088/2632-2153/ad4a04.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from namd.nn.fusion.irreps import Irrep
from namd.nn.fusion.paths import CouplingTable
from namd.nn.fusion.product import PathProducts
from namd.nn.linear import block, components
from namd.nn.published.convolution import PathSums, clebsch_gordan
from namd.nn.published.diagrams import three_leg_diagrams
from namd.nn.published.edge_form import EdgeForm, NeighbourSum
from namd.nn.published.edges import Edges
from namd.nn.published.maps import IrrepLinear, Perceptron, parts

_RADIAL_HIDDEN = 8


@dataclass(frozen=True, kw_only=True)
class InternalEdge:
    """One internal irrep of the three-leg diagrams.

    Parameters
    ----------
    l, parity
        The irrep k.
    incoming
        (l1, l2) of root and neighbour of every vertex that leads into it.
    outgoing
        (l, J) of harmonic and output of every vertex that leads out of it.
    """

    l: int
    parity: int
    incoming: tuple[tuple[int, int], ...]
    outgoing: tuple[tuple[int, int], ...]

    @property
    def irrep(self) -> Irrep:
        """K."""
        return Irrep(self.l, self.parity)


def internal_edges(
    *, feature_l: int, harmonic_l: int, output_l: int, internal_l: int
) -> tuple[InternalEdge, ...]:
    """All internal irreps with l ≤ ``internal_l`` that lead from natural to natural parity."""
    found = []
    for k in range(internal_l + 1):
        for parity in ((-1) ** k, -((-1) ** k)):
            incoming = _vertices(k, parity, feature_l, feature_l)
            outgoing = _vertices(k, parity, harmonic_l, output_l)
            if incoming and outgoing:
                found.append(InternalEdge(l=k, parity=parity, incoming=incoming, outgoing=outgoing))
    return tuple(found)


def _vertices(k: int, parity: int, first_l: int, second_l: int) -> tuple[tuple[int, int], ...]:
    """(l, l') that form a triangle with k and whose natural parities multiply to ``parity``."""
    return tuple(
        (l, other)
        for l in range(first_l + 1)
        for other in range(abs(k - l), min(k + l, second_l) + 1)
        if (-1) ** (l + other) == parity
    )


def pair_product(
    root: Float[Tensor, "molecule atom first channel"],
    neighbour: Float[Tensor, "molecule atom second channel"],
    table: Float[Tensor, "first second third"],
) -> Float[Tensor, "molecule atom atom third channel"]:
    """Couple the features of every pair of atoms, channel by channel."""
    prepared = torch.einsum("uvm,biuc->bivmc", table.to(root.dtype), root)
    return torch.einsum("bivmc,bjvc->bijmc", prepared, neighbour)


def sparse_table(
    edges: tuple[InternalEdge, ...], *, feature_l: int, harmonic_l: int, output_l: int
) -> Float64[Tensor, "harmonic neighbour root output"]:
    """All sparse diagrams as one tensor, the internal irreps summed over.

    Vertices into an internal irrep are summed with weight 1/√(their number), and so are the
    diagrams into one output l.
    """
    sizes = [components(l) for l in (harmonic_l, feature_l, feature_l, output_l)]
    table = torch.zeros(sizes, dtype=torch.float64)
    diagrams = [
        sum(l == J for edge in edges for _, J in edge.outgoing) for l in range(output_l + 1)
    ]
    for edge in edges:
        for l1, l2 in edge.incoming:
            entering = clebsch_gordan(l1, l2, edge.l) / len(edge.incoming) ** 0.5
            for l, J in edge.outgoing:
                leaving = clebsch_gordan(edge.l, l, J) / diagrams[J] ** 0.5
                both = torch.einsum("uvk,kyJ->yvuJ", entering, leaving)
                table[block(l), block(l2), block(l1), block(J)] += both
    return table


class SparseFusion(nn.Module):
    """Sparse three-leg block; see the module's docstring.

    Evaluated node by node: without weights on the internal edge the sum over neighbours can be
    taken first, for every l of Y and component of F_j, and what remains is one product with the
    root per atom.

    Parameters
    ----------
    feature_l, harmonic_l, output_l, internal_l
        Highest l of root and neighbour, of the harmonics, of the output, of the internal irreps.
    channels
        Channels throughout.
    radial
        Number of radial functions of the edges.

    Attributes
    ----------
    diagrams
        One for each internal irrep.
    """

    def __init__(
        self,
        *,
        feature_l: int,
        harmonic_l: int,
        output_l: int,
        internal_l: int,
        channels: int,
        radial: int,
    ) -> None:
        super().__init__()
        edges = internal_edges(
            feature_l=feature_l, harmonic_l=harmonic_l, output_l=output_l, internal_l=internal_l
        )
        self.diagrams = three_leg_diagrams(
            [(edge.irrep,) for edge in edges],
            feature_l=feature_l,
            harmonic_l=harmonic_l,
            output_l=output_l,
        )
        table = sparse_table(edges, feature_l=feature_l, harmonic_l=harmonic_l, output_l=output_l)
        self.density = NeighbourSum(_outer_form(feature_l=feature_l, harmonic_l=harmonic_l))
        self.couple = PathProducts(table=_coupling_table(table), channels=channels)
        self.harmonics = harmonic_l + 1
        self.legs = IrrepLinear(inputs=[channels] * (feature_l + 1), outputs=channels)
        self.radial = Perceptron([radial, _RADIAL_HIDDEN, self.harmonics * channels])
        self.mix = IrrepLinear(inputs=[channels] * (output_l + 1), outputs=channels)

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"], edges: Edges
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Sum of all diagrams over all neighbours."""
        legs = self.legs(parts(feature))
        weights = self.radial(edges.waves).unflatten(-1, (self.harmonics, -1))
        density = self.density(legs, weights, edges.harmonics, edges.from_neighbours())
        # Components first: [harmonic × neighbour, node, channel] with the root.
        both = (x.flatten(0, 1).transpose(0, 1).contiguous() for x in (density, legs))
        fused = self.couple(*both).transpose(0, 1).unflatten(0, legs.shape[:2])
        mixed: Tensor = self.mix(parts(fused))
        return mixed


def _outer_form(*, feature_l: int, harmonic_l: int) -> EdgeForm:
    """Σ_j R_l(r_ij) Y_lm F_j[v] for every (l, m) and, side by side, v; one R for each l."""
    features, harmonics = components(feature_l), components(harmonic_l)
    number = np.arange(features * harmonics)
    harmonic = number // features
    return EdgeForm(
        source=number % features,
        radial=np.repeat(np.arange(harmonic_l + 1), 2 * np.arange(harmonic_l + 1) + 1)[harmonic],
        result=number,
        harmonic=harmonic,
        value=np.ones(len(number)),
        sizes=(features, harmonic_l + 1, len(number), harmonics),
    )


def _coupling_table(
    table: Float64[Tensor, "harmonic neighbour root output"],
) -> CouplingTable:
    """One path from [harmonic × neighbour] and root to the output."""
    flat = table.flatten(0, 1).numpy()
    first, second, output = np.nonzero(np.abs(flat) > 1e-10)
    return CouplingTable(
        paths=((0, 0, 0),),
        first=first,
        second=second,
        output=output,
        path=np.zeros_like(first),
        value=flat[first, second, output],
        dimensions=flat.shape,
    )


class DenseFusion(nn.Module):
    """Dense three-leg block, evaluated on edges; parameters as in :class:`SparseFusion`.

    Attributes
    ----------
    diagrams
        One for each tuple of internal irreps.
    """

    def __init__(
        self,
        *,
        feature_l: int,
        harmonic_l: int,
        output_l: int,
        internal_l: int,
        channels: int,
        radial: int,
    ) -> None:
        super().__init__()
        self.edges = internal_edges(
            feature_l=feature_l, harmonic_l=harmonic_l, output_l=output_l, internal_l=internal_l
        )
        self.output_l = output_l
        self.diagrams = three_leg_diagrams(
            [
                tuple(edge.irrep for edge in self.edges if edge.l <= l)
                for l in range(internal_l + 1)
            ],
            feature_l=feature_l,
            harmonic_l=harmonic_l,
            output_l=output_l,
        )
        # An irrep k is in the tuples (0 … k), (0 … k + 1), …, each with a copy of its own.
        widths = [(internal_l + 1 - edge.l) * channels for edge in self.edges]
        self.roots = IrrepLinear(inputs=[channels] * (feature_l + 1), outputs=channels)
        self.neighbours = IrrepLinear(inputs=[channels] * (feature_l + 1), outputs=channels)
        self.internal = nn.ModuleList(
            IrrepLinear(inputs=[len(edge.incoming) * channels], outputs=width)
            for edge, width in zip(self.edges, widths, strict=True)
        )
        self.sizes = [
            width * len(edge.outgoing) for edge, width in zip(self.edges, widths, strict=True)
        ]
        self.radial = Perceptron([radial, _RADIAL_HIDDEN, sum(self.sizes)])
        into = [
            sum(
                width
                for edge, width in zip(self.edges, widths, strict=True)
                for _, J in edge.outgoing
                if l == J
            )
            for l in range(output_l + 1)
        ]
        self.mix = IrrepLinear(inputs=into, outputs=channels)
        self.sums = nn.ModuleList(
            PathSums(
                [(edge.l, l, J) for l, J in edge.outgoing],
                source_l=(edge.l, edge.l),
                harmonic_l=harmonic_l,
            )
            for edge in self.edges
        )
        for number, edge in enumerate(self.edges):
            for vertex, (l1, l2) in enumerate(edge.incoming):
                self.register_buffer(
                    f"table{number}_{vertex}", clebsch_gordan(l1, l2, edge.l), persistent=False
                )

    def forward(
        self, feature: Float[Tensor, "molecule atom input channel"], edges: Edges
    ) -> Float[Tensor, "molecule atom output channel"]:
        """Sum of all diagrams over all neighbours."""
        roots = parts(self.roots(parts(feature)))
        neighbours = parts(self.neighbours(parts(feature)))
        weights = torch.split(self.radial(edges.waves), self.sizes, dim=-1)
        places = edges.from_edges()
        outputs: list[list[Tensor]] = [[] for _ in range(self.output_l + 1)]
        for number, (internal, mix, sums) in enumerate(
            zip(self.edges, self.internal, self.sums, strict=True)
        ):
            products = [
                pair_product(roots[l1], neighbours[l2], self.get_buffer(f"table{number}_{vertex}"))
                for vertex, (l1, l2) in enumerate(internal.incoming)
            ]
            pairs = mix([torch.cat(products, dim=-1)]).flatten(1, 2)
            for J, message in sums(pairs, weights[number], edges.harmonics, places).items():
                outputs[J].append(message)
        mixed: Tensor = self.mix([torch.cat(group, dim=-1) for group in outputs])
        return mixed

"""The three-leg block over neighbours, edge by edge and, equally, node by node.

    out_i = Σ_j Fusion(h_i, g_ij h_j, Y_ij),      diagrams ((root neighbour)k edge)J

with features h, radial factors g_ij[c] and harmonics Y_ij. By an F-move

    ((h_i ⊗ h_j)_k ⊗ Y_ij)_J = Σ_k' F[k, k'] (h_i ⊗ (h_j ⊗ Y_ij)_k')_J,

and the sum over j goes to the right: an ordinary convolution, D_i[k'] = Σ_j g_ij (h_j ⊗ Y_ij)_k',
and one product with h_i at every node. The block holds nothing else; in particular no correlation
of two neighbours, which needs products of densities. The edge-wise form costs its Clebsch–Gordan
products once per edge, the node-wise one once per node.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.errors import ConfigError
from namd.nn.fusion.block import DenseVertex, FusionBlock
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import canonical, dimension
from namd.nn.fusion.mix import mix_stack
from namd.nn.fusion.paths import outer_table, rerouted_table, separate_table
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts
from namd.nn.fusion.recoupling import f_move
from namd.nn.fusion.tree import Leg, Vertex


@dataclass(frozen=True, eq=False)
class Edges:
    """Directed pairs, and what each carries.

    Parameters
    ----------
    centre, neighbour
        Nodes i and j.
    harmonics
        Y_ij, stacked components.
    radial
        g_ij, one factor for each channel (or a single one for all).
    """

    centre: Int[Tensor, " edge"]
    neighbour: Int[Tensor, " edge"]
    harmonics: Float[Tensor, "component edge"]
    radial: Float[Tensor, "edge _"]


def edgewise(
    block: FusionBlock,
    *,
    root: Float[Tensor, "root node channel"],
    neighbour: Float[Tensor, "neighbour node channel"],
    edges: Edges,
) -> Float[Tensor, "component node output"]:
    """Evaluate a three-leg block edge by edge, sum over neighbours, then mix.

    Raises
    ------
    ConfigError
        If a diagram is not of the form ((root neighbour)k edge)J.
    """
    names = leg_names(block)
    features = (
        root[:, edges.centre],
        neighbour[:, edges.neighbour] * edges.radial,
        edges.harmonics[..., None],
    )
    legs = dict(zip(names, features, strict=True))
    out: Tensor = block(legs, centre=edges.centre, nodes=root.shape[1])
    return out


class NodewiseFusion(nn.Module):
    """The same numbers as :func:`edgewise` from the same weights, by the F-move.

    Parameters
    ----------
    block
        A three-leg block; it keeps the weights.

    Raises
    ------
    ConfigError
        If a diagram is not of the form ((root neighbour)k edge)J.
    """

    recoupling: Tensor

    def __init__(self, block: FusionBlock) -> None:
        super().__init__()
        self.block = block
        names = leg_names(block)
        root, neighbour, edge = (block.legs[name] for name in names)
        self.left = tuple(_left_combs(block))
        joined = [(comb, f_move(comb.diagram)) for comb in self.left]
        spins = [tree.internal[0][0] for _, move in joined for tree in move]
        table, densities = separate_table(neighbour, edge, canonical(spins))
        self.density = PathProducts(table=outer_table(table), channels=block.channels)
        final, self.stack = separate_table(root, densities, block.irreps)
        path = {}  # of the last product, by the right comb (root (neighbour edge)k')J that it is
        for number, (i, p, _) in enumerate(final.paths):
            j, m, _ = table.paths[p]
            irreps = (root[i], neighbour[j], edge[m])
            one, two, three = (Leg(n, (k,)) for n, k in zip(names, irreps, strict=True))
            right = Vertex(one, Vertex(two, three, (densities[p],)), (self.stack[number],))
            path[FusionDiagram(right)] = number
        routes = [(number, number) for number in range(len(path))]
        sparse = block.mode == "sparse"
        if sparse:  # channels of every block of the concatenation stay apart until they are mixed
            routes = sorted({(path[tree], comb.position) for comb, move in joined for tree in move})
            final = rerouted_table(final, self.stack, routes, block.mix.irreps)
        self.couple = PathProducts(table=final, channels=block.channels)
        rows = {route: row for row, route in enumerate(routes)}
        matrix = np.zeros((len(routes), len(self.left)))
        for column, (comb, move) in enumerate(joined):
            for tree, value in move.items():
                number = path[tree]
                matrix[rows[number, comb.position if sparse else number], column] = value
        self.register_buffer("recoupling", torch.from_numpy(matrix), persistent=False)

    def forward(
        self,
        *,
        root: Float[Tensor, "root node channel"],
        neighbour: Float[Tensor, "neighbour node channel"],
        edges: Edges,
    ) -> Float[Tensor, "component node output"]:
        """Convolve, then couple with the root at every node."""
        carried = neighbour[:, edges.neighbour] * edges.radial
        empty = carried.new_zeros(len(carried), *root.shape[1:])
        # One harmonic at a time: all outer products at once would not stay in the cache.
        sums = [
            empty.index_add(1, edges.centre, carried * harmonic[:, None])
            for harmonic in edges.harmonics
        ]
        summed = torch.stack(sums, dim=1).flatten(0, 1)
        density = self.density(summed, torch.ones_like(summed[:1]))
        weights = self.weights()
        if self.block.mode == "dense":
            return mix_stack(self.couple(root, density), self.stack, weights)
        mixed: Tensor = self.block.mix(self.couple(root, density, *weights))
        return mixed

    def weights(self) -> list[Float[Tensor, "_ weight"]]:
        """What the paths of the last product are weighted with: the block's weights, recoupled.

        Sparse: one tensor [path, channel]; the mix follows as ever. Dense: for every output irrep
        [path · channel, output], with all mixes in it.
        """
        left = torch.stack([self._weight(comb) for comb in self.left])
        right = torch.tensordot(self.recoupling.to(left.dtype), left, dims=1)
        if self.block.mode == "sparse":
            return [right]
        rows = [[n for n, i in enumerate(self.stack) if i == k] for k in canonical(self.stack)]
        return [right[paths].flatten(0, 1) for paths in rows]

    def _weight(self, comb: "_LeftComb") -> Tensor:
        """Of an elementary left comb: [channel] before the mix (sparse), or [channel, output]."""
        inner, outer = self.block.compiled[comb.tree].products
        if isinstance(inner, DenseVertex):
            return inner.mix.block(comb.first) @ self.block.mix.block(comb.position)
        if isinstance(inner, PathProducts) or not isinstance(outer, ClebschGordanProduct):
            raise TypeError("a block is dense or sparse throughout")
        return inner.weight[comb.first] * outer.weight[comb.last]

    def flops(self, *, nodes: int, edges: int) -> int:
        """Floating-point operations, without those on the weights alone."""
        channels = self.block.channels
        neighbour, edge = (dimension(self.block.legs[name]) for name in leg_names(self.block)[1:])
        total = (1 + 2 * edge) * neighbour * edges * channels
        total += self.density.flops(nodes) + self.couple.flops(nodes)
        if self.block.mode == "sparse":
            return total + self.block.mix.flops(nodes)
        return total + 2 * dimension(self.stack) * channels * self.block.mix.outputs * nodes


@dataclass(frozen=True)
class _LeftComb:
    """An elementary diagram of a block and where its weights are.

    ``tree`` is the compiled tree, ``first`` and ``last`` are the paths of its two vertices, and
    ``position`` is the block of the concatenation that it contributes to.
    """

    diagram: FusionDiagram
    tree: int
    first: int
    last: int
    position: int


def _left_combs(block: FusionBlock) -> Iterator[_LeftComb]:
    start = 0
    for number, tree in enumerate(block.compiled):
        inner, outer = tree.products
        legs, spins = tree.diagram.legs, tree.diagram.internal[0]
        for first, (i, j, k) in enumerate(inner.table.paths):
            spin = inner.mix.irreps[k] if isinstance(inner, DenseVertex) else spins[k]
            vertex = Vertex(
                Leg(legs[0].name, (legs[0].irreps[i],)),
                Leg(legs[1].name, (legs[1].irreps[j],)),
                (spin,),
            )
            for last, (k2, m, q) in enumerate(outer.table.paths):
                if spins[k2] == spin:
                    edge = Leg(legs[2].name, (legs[2].irreps[m],))
                    diagram = FusionDiagram(Vertex(vertex, edge, (tree.stack[q],)))
                    yield _LeftComb(diagram, number, first, last, start + q)
        start += len(tree.stack)


def leg_names(block: FusionBlock) -> tuple[str, str, str]:
    """Names of root, neighbour and edge of a three-leg block.

    Raises
    ------
    ConfigError
        If a diagram is not of the form ((root neighbour)k edge)J.
    """
    expected = list(block.legs)
    for diagram in block.diagrams:
        names = [leg.name for leg in diagram.legs]
        comb = isinstance(diagram.root, Vertex) and isinstance(diagram.root.right, Leg)
        if not comb or len(expected) != 3 or names != expected:
            raise ConfigError(
                "a block over neighbours has diagrams ((root neighbour)k edge)J",
                where=f"diagram {diagram}",
                hint="name the three legs alike in all its diagrams, e.g. ((i:1o j:1o)2e Y:2e)0e",
            )
    root, neighbour, edge = expected
    return root, neighbour, edge

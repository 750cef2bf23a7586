"""Fusion blocks: a set of diagrams compiled to a module.

Algorithm 1 of Li et al. 2024 (doi:10.1088/2632-2153/ad4a04): contract the legs of every diagram,
sum over neighbours where there are any, concatenate the diagrams along channels, and mix the
channels with one learned matrix per output irrep. Products are the only nonlinearity. Two modes:

``sparse``
    One diagram for each choice of internal spins. Products act channel by channel, with a weight
    for every path and channel.
``dense``
    An internal edge carries all its spins at once. The paths of a vertex lie side by side and are
    mixed by matrices of that edge: every channel of a spin sees every channel of every path.

The products run in the compiled loops of :mod:`namd.nn.fusion.product`.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from namd.errors import ConfigError
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irreps, canonical, dimension, format_irreps, offsets
from namd.nn.fusion.mix import PathMix
from namd.nn.fusion.paths import CouplingTable, irreps_table, separate_table
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts
from namd.nn.fusion.tree import Leg, Tree, Vertex

Mode = Literal["sparse", "dense"]


class FusionBlock(nn.Module):
    """Equivariant polynomial of some legs, given by diagrams.

    Parameters
    ----------
    diagrams
        At least one. Legs of equal name are one feature.
    channels
        Channels of the legs (a leg with one channel is used for all of them) and inside.
    outputs
        Channels of the output.
    mode
        ``sparse`` or ``dense``.

    Attributes
    ----------
    legs
        Irreps that the feature of each name must hold, in canonical order.
    irreps
        Irreps of the output, in canonical order.

    Raises
    ------
    ConfigError
        If there is no diagram.
    """

    def __init__(
        self, diagrams: Sequence[FusionDiagram], *, channels: int, outputs: int, mode: Mode
    ) -> None:
        super().__init__()
        if not diagrams:
            raise ConfigError(
                "a fusion block needs a diagram",
                where="diagrams = []",
                hint="enumerate_diagrams finds all that given legs allow",
            )
        self.diagrams = tuple(diagrams)
        self.mode: Mode = mode
        self.channels = channels
        self.legs: dict[str, Irreps] = {}
        for leg in chain.from_iterable(diagram.legs for diagram in diagrams):
            self.legs[leg.name] = canonical((*self.legs.get(leg.name, ()), *leg.irreps))
        parts = self.diagrams
        if mode == "sparse":
            parts = tuple(chain.from_iterable(d.single_spin_diagrams() for d in diagrams))
        trees = [CompiledTree(part, channels=channels, mode=mode) for part in parts]
        self.trees = nn.ModuleList(trees)
        stack = tuple(chain.from_iterable(tree.stack for tree in self.compiled))
        self.mix = PathMix(stack, channels=channels, outputs=outputs)
        self.irreps = canonical(stack)

    @property
    def compiled(self) -> "tuple[CompiledTree, ...]":
        """The trees, in the order of their blocks in the concatenation."""
        return tuple(tree for tree in self.trees if isinstance(tree, CompiledTree))

    def forward(
        self,
        legs: Mapping[str, Float[Tensor, "_ row _"]],
        *,
        centre: Int[Tensor, " row"] | None = None,
        nodes: int = 0,
    ) -> Float[Tensor, "component node output"]:
        """Evaluate all diagrams row by row, and mix.

        Parameters
        ----------
        legs
            One feature for each name of :attr:`legs`, [component, row, channel].
        centre
            The node that each row is summed into; None if rows are nodes.
        nodes
            Number of nodes, with ``centre``.

        Raises
        ------
        ConfigError
            If a leg is missing or has another number of components.
        """
        features = {name: self._feature(legs, name) for name in self.legs}
        stack = torch.cat([tree(self._select(features, tree)) for tree in self.compiled])
        if centre is not None:
            empty = stack.new_zeros(stack.shape[0], nodes, stack.shape[2])
            stack = empty.index_add(1, centre, stack)
        mixed: Tensor = self.mix(stack)
        return mixed

    def _feature(self, legs: Mapping[str, Tensor], name: str) -> Tensor:
        irreps = self.legs[name]
        found = legs[name].shape[0] if name in legs else 0
        if found != dimension(irreps):
            raise ConfigError(
                f"it has {found} components, {format_irreps(irreps)} has {dimension(irreps)}",
                where=f"leg {name}",
                hint="stack the components of all its irreps along the first axis",
            )
        return legs[name].expand(-1, -1, self.channels)

    def _select(self, features: dict[str, Tensor], tree: "CompiledTree") -> list[Tensor]:
        """The components that the legs of one tree ask for."""
        selected = []
        for leg in tree.diagram.legs:
            feature, held = features[leg.name], self.legs[leg.name]
            if leg.irreps != held:
                starts = dict(zip(held, offsets(held), strict=True))
                spans = [slice(starts[i], starts[i] + i.dimension) for i in leg.irreps]
                feature = torch.cat([feature[span] for span in spans])
            selected.append(feature)
        return selected


class CompiledTree(nn.Module):
    """One diagram, without the mix of its output.

    Attributes
    ----------
    vertices
        Modules of the vertices, children before parents.
    stack
        Irreps stacked in the result: those of the output (sparse), or one for each path of the
        last vertex (dense).
    """

    def __init__(self, diagram: FusionDiagram, *, channels: int, mode: Mode) -> None:
        super().__init__()
        self.diagram = diagram
        self.stack = diagram.output
        self.vertices = nn.ModuleList()
        for vertex in diagram.vertices:
            irreps = (vertex.left.irreps, vertex.right.irreps, vertex.irreps)
            if mode == "sparse":
                self.vertices.append(
                    ClebschGordanProduct(table=irreps_table(*irreps), channels=channels)
                )
            elif vertex is diagram.root:
                table, self.stack = separate_table(*irreps)
                self.vertices.append(PathProducts(table=table, channels=channels))
            else:
                self.vertices.append(DenseVertex(vertex, channels=channels))

    @property
    def products(self) -> "tuple[Coupling, ...]":
        """The vertices again, typed."""
        return tuple(vertex for vertex in self.vertices if isinstance(vertex, Coupling))

    def forward(
        self, legs: Sequence[Float[Tensor, "_ row channel"]]
    ) -> Float[Tensor, "component row channel"]:
        """Contract the legs, given from left to right."""
        features, vertices = iter(legs), iter(self.vertices)

        def value(tree: Tree) -> Tensor:
            if isinstance(tree, Leg):
                return next(features)
            left, right = value(tree.left), value(tree.right)
            coupled: Tensor = next(vertices)(left, right)
            return coupled

        return value(self.diagram.root)


class DenseVertex(nn.Module):
    """All paths of a vertex side by side, mixed to the spins of its outgoing edge."""

    def __init__(self, vertex: Vertex, *, channels: int) -> None:
        super().__init__()
        table, stack = separate_table(vertex.left.irreps, vertex.right.irreps, vertex.irreps)
        self.couple = PathProducts(table=table, channels=channels)
        self.mix = PathMix(stack, channels=channels, outputs=channels)

    @property
    def table(self) -> CouplingTable:
        """Paths of the product."""
        return self.couple.table

    def forward(
        self,
        left: Float[Tensor, "left row channel"],
        right: Float[Tensor, "right row channel"],
    ) -> Float[Tensor, "component row channel"]:
        """Couple and mix."""
        mixed: Tensor = self.mix(self.couple(left, right))
        return mixed

    def flops(self, rows: int) -> int:
        """Floating-point operations for ``rows`` nodes."""
        return self.couple.flops(rows) + self.mix.flops(rows)


Coupling = ClebschGordanProduct | PathProducts | DenseVertex

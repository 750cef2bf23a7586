"""Fusion diagrams: binary trees of Clebsch–Gordan vertices.

Legs carry features, internal edges spins, the root's edge the output. A vertex is allowed where
|l1 − l2| ≤ l3 ≤ l1 + l2 and p3 = p1 p2. A diagram with several irreps on an edge is the sum of its
*elementary* diagrams, which have one on each. Li et al., Mach. Learn.: Sci. Technol. 5, 025044
(2024), doi:10.1088/2632-2153/ad4a04, section 3.

A diagram is a value: what it computes is in :mod:`~namd.nn.fusion.contraction`, how it is drawn in
:mod:`~namd.nn.fusion.text` and :mod:`~namd.nn.fusion.svg`, and the network made of it in
:mod:`~namd.nn.fusion.block`.
"""

from dataclasses import dataclass
from itertools import product

from namd.errors import ConfigError
from namd.nn.fusion.irreps import Irreps, canonical, format_irreps
from namd.nn.fusion.tree import Leg, Tree, Vertex, legs_of, parse_tree, vertices_of


@dataclass(frozen=True, slots=True)
class FusionDiagram:
    """An immutable fusion diagram; equal if drawn alike.

    Parameters
    ----------
    root
        The tree; a single leg is a diagram without vertices.

    Raises
    ------
    ConfigError
        If a vertex promises an irrep that its two edges cannot couple to.

    Examples
    --------
    >>> diagram = FusionDiagram.parse("((i:1o j:1o)2e Y:2e)0e")
    >>> [str(irrep) for irrep in diagram.internal[0]]
    ['2e']
    """

    root: Tree

    def __post_init__(self) -> None:
        for vertex in self.vertices:
            reachable = _reachable(vertex.left.irreps, vertex.right.irreps)
            for irrep in vertex.irreps:
                if irrep not in reachable:
                    raise ConfigError(
                        f"{format_irreps(vertex.left.irreps)} × "
                        f"{format_irreps(vertex.right.irreps)} cannot couple to {irrep}, "
                        f"only to {format_irreps(reachable)}",
                        where=f"vertex {vertex}",
                        hint="a vertex needs |l1 − l2| ≤ l3 ≤ l1 + l2 and parities that multiply",
                    )

    @classmethod
    def parse(cls, text: str) -> "FusionDiagram":
        """Read the text form, ``((i:1o j:1o)2e Y:2e)0e``; see :mod:`namd.nn.fusion.tree`.

        Raises
        ------
        ConfigError
            If the text is no tree, or the tree no diagram.
        """
        return cls(parse_tree(text))

    def __str__(self) -> str:
        return str(self.root)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Incoming edges from left to right."""
        return legs_of(self.root)

    @property
    def vertices(self) -> tuple[Vertex, ...]:
        """Vertices, children before parents."""
        return vertices_of(self.root)

    @property
    def internal(self) -> tuple[Irreps, ...]:
        """Spins of the internal edges, children before parents."""
        return tuple(vertex.irreps for vertex in self.vertices[:-1])

    @property
    def output(self) -> Irreps:
        """Irreps of the outgoing edge."""
        return self.root.irreps

    @property
    def elementary(self) -> bool:
        """Whether every edge carries one irrep."""
        edges: tuple[Tree, ...] = (*self.legs, *self.vertices)
        return all(len(edge.irreps) == 1 for edge in edges)

    def elementary_diagrams(self) -> "tuple[FusionDiagram, ...]":
        """The diagrams with one irrep on each edge of which this one is the sum."""
        return tuple(FusionDiagram(tree) for tree in _expand(self.root, legs=True))

    def single_spin_diagrams(self) -> "tuple[FusionDiagram, ...]":
        """The diagrams with one spin on each internal edge; legs and output keep what they can."""
        if isinstance(self.root, Leg):
            return (self,)
        lefts, rights = (_expand(side, legs=False) for side in (self.root.left, self.root.right))
        found = []
        for left, right in product(lefts, rights):
            reachable = _reachable(left.irreps, right.irreps)
            output = tuple(irrep for irrep in self.output if irrep in reachable)
            if output:
                found.append(FusionDiagram(Vertex(left, right, output)))
        return tuple(found)


def _expand(tree: Tree, *, legs: bool) -> tuple[Tree, ...]:
    """The same tree with one irrep on each edge; on legs only if asked for."""
    if isinstance(tree, Leg):
        return tuple(Leg(tree.name, (irrep,)) for irrep in tree.irreps) if legs else (tree,)
    return tuple(
        Vertex(left, right, (irrep,))
        for left in _expand(tree.left, legs=legs)
        for right in _expand(tree.right, legs=legs)
        for irrep in tree.irreps
        if irrep in _reachable(left.irreps, right.irreps)
    )


def _reachable(left: Irreps, right: Irreps) -> Irreps:
    """All that any two irreps of two edges can couple to."""
    return canonical([irrep for one in left for two in right for irrep in one * two])

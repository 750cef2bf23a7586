"""Reference evaluation of elementary fusion diagrams, in float64 and NumPy.

Every vertex is the real Clebsch–Gordan tensor with Σ_{m1 m2} C C' = δ, so that the trees of one
shape over given legs form an orthonormal basis of the equivariant maps. Slow and plain: what the
compiled blocks are tested against, and what recoupling and pruning are computed from.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from namd.errors import ConfigError
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep
from namd.nn.fusion.paths import clebsch_gordan
from namd.nn.fusion.tree import Leg, Tree, Vertex

Features = Mapping[tuple[str, Irrep], Float[np.ndarray, "*batch _"]]


def contract(diagram: FusionDiagram, features: Features) -> Float[np.ndarray, "*batch component"]:
    """Value of an elementary diagram.

    Parameters
    ----------
    diagram
        With one irrep on every edge.
    features
        Components [..., 2l + 1] of every (leg name, irrep).

    Raises
    ------
    ConfigError
        If the diagram is not elementary, or a leg has no feature or one of another size.
    """
    require_elementary(diagram)
    for leg in diagram.legs:
        feature = features.get((leg.name, leg.irreps[0]))
        if feature is None or feature.shape[-1] != leg.irreps[0].dimension:
            found = "nothing" if feature is None else f"{feature.shape[-1]} components"
            raise ConfigError(
                f"the leg needs {leg.irreps[0].dimension} components, it was given {found}",
                where=f"leg {leg}",
                hint="give one array for every (name, irrep) of the legs",
            )
    return _value(diagram.root, features)


def _value(tree: Tree, features: Features) -> Float[np.ndarray, "*batch component"]:
    if isinstance(tree, Leg):
        return features[tree.name, tree.irreps[0]]
    left, right = _value(tree.left, features), _value(tree.right, features)
    value: np.ndarray = np.einsum("...i,...j,ijk->...k", left, right, _vertex_tensor(tree))
    return value


def coupling_tensor(diagram: FusionDiagram) -> Float[np.ndarray, "*legs component"]:
    """The multilinear map of an elementary diagram: one axis per leg, then the output's.

    Raises
    ------
    ConfigError
        If the diagram is not elementary.
    """
    require_elementary(diagram)
    return _tensor(diagram.root)


def _tensor(tree: Tree) -> Float[np.ndarray, "*legs component"]:
    if isinstance(tree, Leg):
        return np.eye(tree.irreps[0].dimension)
    left, right = _tensor(tree.left), _tensor(tree.right)
    with_left = np.tensordot(left, _vertex_tensor(tree), axes=(-1, 0))  # legs of the left, j, k
    # The right's legs come last and go before k.
    joined = np.tensordot(with_left, right, axes=(-2, -1))
    return np.moveaxis(joined, left.ndim - 1, -1)


def _vertex_tensor(vertex: Vertex) -> Float[np.ndarray, "left right output"]:
    left, right, output = (edge.irreps[0].l for edge in (vertex.left, vertex.right, vertex))
    return clebsch_gordan(left, right, output)


def require_elementary(diagram: FusionDiagram) -> None:
    """Refuse a diagram with several irreps on an edge.

    Raises
    ------
    ConfigError
        Saying how to take it apart.
    """
    if not diagram.elementary:
        raise ConfigError(
            "several irreps stand on one edge",
            where=f"diagram {diagram}",
            hint="take its elementary_diagrams() one by one",
        )

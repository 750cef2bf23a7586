"""Random diagrams for the tests of this folder."""

from collections.abc import Callable

import numpy as np
import pytest

from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep, Irreps, canonical
from namd.nn.fusion.tree import Leg, Tree, Vertex

MakeDiagram = Callable[..., FusionDiagram]


def _random_diagram(seed: int, *, legs: int, most: int = 3, l_max: int = 3) -> FusionDiagram:
    """A valid diagram of any shape, with up to ``most`` irreps on an edge, of either parity."""
    rng = np.random.default_rng(seed)
    names = iter("abcdefgh")

    def some(irreps: Irreps) -> Irreps:
        number = rng.integers(1, min(most, len(irreps)) + 1)
        return tuple(irreps[n] for n in rng.permutation(len(irreps))[:number])

    def tree(size: int) -> Tree:
        if size == 1:
            every = tuple(Irrep(l, parity) for l in range(l_max + 1) for parity in (1, -1))
            return Leg(next(names), some(every))
        cut = int(rng.integers(1, size))
        left, right = tree(cut), tree(size - cut)
        reachable = canonical([k for a in left.irreps for b in right.irreps for k in a * b])
        return Vertex(left, right, some(tuple(k for k in reachable if k.l <= l_max)))

    return FusionDiagram(tree(legs))


@pytest.fixture(scope="session")
def random_diagram() -> MakeDiagram:
    """Maker of random diagrams from a seed; one that is equal for equal seeds."""
    return _random_diagram

"""Random diagrams and rotations for the tests of this folder."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from e3nn import o3

from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep, Irreps, canonical
from namd.nn.fusion.tree import Leg, Tree, Vertex

MakeDiagram = Callable[..., FusionDiagram]
Wigner = Callable[..., np.ndarray]


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


def _wigner(irrep: Irrep, angles: Sequence[float], *, inverted: bool) -> np.ndarray:
    """Matrix of a rotation by Euler angles, and of an inversion if asked for, from e3nn."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # that of e3nn's generators
    try:
        turn = (torch.tensor(angle) for angle in angles)
        matrix = o3.Irrep(irrep.l, irrep.parity).D_from_angles(*turn, torch.tensor(int(inverted)))
    finally:
        torch.set_default_dtype(before)
    return matrix.numpy()


@pytest.fixture(scope="session")
def wigner() -> Wigner:
    """Maker of the matrices by which components of an irrep turn."""
    return _wigner

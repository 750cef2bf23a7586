"""The comb of our own network against the general block, which compiles any set of diagrams.

The comb adds up the diagrams of all internal spins before they are mixed. A :class:`FusionBlock`
with one diagram for each prefix gives the same numbers if equal paths have equal weights whatever
the spins before them (sparse) or diagonal channel matrices (dense), and if the matrices of its mix
are those of the prefix. No constants differ.
"""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from namd.nn.fusion.block import DenseVertex, FusionBlock, Mode
from namd.nn.fusion.comb import FusionComb
from namd.nn.fusion.diagram import FusionDiagram
from namd.nn.fusion.irreps import Irrep
from namd.nn.fusion.product import ClebschGordanProduct

L, C = 2, 3
MODES = pytest.mark.parametrize("mode", ["sparse", "dense"])


def random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def block_of(diagrams: Sequence[FusionDiagram], mode: Mode) -> FusionBlock:
    return FusionBlock(diagrams, channels=C, outputs=C, mode=mode).double()


def path_weight(comb: FusionComb, vertex: int, ls: tuple[int, int, int]) -> Tensor:
    """Of (l1, l2, l3) at one vertex of the comb, by channel."""
    couple = comb.products[vertex]
    assert isinstance(couple, ClebschGordanProduct)
    return couple.weight[couple.table.paths.index(ls)].detach()


def copy_comb(comb: FusionComb, block: FusionBlock, mix: Callable[[int, Irrep], Tensor]) -> None:
    """``mix``: matrix that irreps of the comb's n-th prefix are multiplied with."""
    start = 0
    for tree in block.compiled:
        prefix = len(tree.diagram.vertices)
        last = [torch.ones(C, dtype=torch.float64)] * len(tree.stack)
        for n, vertex in enumerate(tree.diagram.vertices):
            couple = tree.products[n]
            edges = (vertex.left.irreps, vertex.right.irreps)
            for path, (one, two, three) in enumerate(couple.table.paths):
                l1, l2 = edges[0][one].l, edges[1][two].l
                if isinstance(couple, ClebschGordanProduct):
                    weight = path_weight(comb, n, (l1, l2, vertex.irreps[three].l))
                    couple.weight[path] = weight
                elif isinstance(couple, DenseVertex):
                    weight = path_weight(comb, n, (l1, l2, couple.mix.irreps[path].l))
                    couple.mix.block(path).copy_(weight.diag())
                else:
                    last[path] = path_weight(comb, n, (l1, l2, tree.stack[path].l))
        for position, (irrep, weight) in enumerate(zip(tree.stack, last, strict=True)):
            block.mix.block(start + position).copy_(weight[:, None] * mix(prefix, irrep))
        start += len(tree.stack)


COMBS = pytest.mark.parametrize(
    ("leg_l", "names"), [((2, 1, 2), "abc"), ((2, 2, 1, 2), "abbc"), ((1, 2, 2, 1), "abcd")]
)


def comb_legs(leg_l: Sequence[int], names: str) -> dict[str, Tensor]:
    """A feature of every name with all l that any of its legs holds."""
    highest = {
        name: max(l for l, other in zip(leg_l, names, strict=True) if other == name)
        for name in names
    }
    return {
        name: random((l + 1) ** 2, 7, C, seed=10 + n).requires_grad_()
        for n, (name, l) in enumerate(highest.items())
    }


def cut(legs: dict[str, Tensor], leg_l: Sequence[int], names: str) -> list[Tensor]:
    return [legs[name][: (l + 1) ** 2] for l, name in zip(leg_l, names, strict=True)]


@MODES
@COMBS
def test_a_comb_is_the_fusion_block_of_its_prefixes(
    leg_l: tuple[int, ...], names: str, mode: Mode
) -> None:
    """Sparse, one diagram per choice of spins; dense, channel matrices are diagonal."""
    torch.manual_seed(3)
    comb = FusionComb(leg_l=leg_l, internal_l=L, output_l=1, channels=C).double()
    assert comb.mix is not None
    matrices = comb.mix.weight.detach()

    def mix(prefix: int, irrep: Irrep) -> Tensor:
        if irrep.l > 1:  # what the comb drops
            return torch.zeros(C, C, dtype=torch.float64)
        return matrices[irrep.l, prefix * C : (prefix + 1) * C]

    block = block_of(comb.diagrams(names), mode)
    with torch.no_grad():
        copy_comb(comb, block, mix)
    legs = comb_legs(leg_l, names)
    expected, _ = comb(cut(legs, leg_l, names))
    found = block(legs)[:4]
    assert expected.abs().max() > 1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    cotangent = random(*expected.shape, seed=4)
    both = [torch.autograd.grad(out, list(legs.values()), cotangent) for out in (found, expected)]
    for one, two in zip(*both, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-10)


@MODES
@COMBS
@pytest.mark.parametrize("output_l", [None, 1])
def test_scalars_of_a_comb_are_those_of_its_diagrams(
    leg_l: tuple[int, ...], names: str, mode: Mode, output_l: int | None
) -> None:
    """Of every prefix before the mix, with and without anything else wanted."""
    torch.manual_seed(4)
    comb = FusionComb(leg_l=leg_l, internal_l=L, output_l=output_l, channels=C).double()
    legs = comb_legs(leg_l, names)
    _, scalars = comb(cut(legs, leg_l, names))
    for prefix, diagram in enumerate(comb.diagrams(names)):
        block = block_of([diagram], mode)
        with torch.no_grad():
            copy_comb(comb, block, lambda *_: torch.eye(C, dtype=torch.float64))
        found = block({name: leg for name, leg in legs.items() if name in block.legs})[0]
        expected = scalars[:, prefix * C : (prefix + 1) * C]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)

"""What :mod:`test_compile` runs in a process of its own: ``python compiled.py BACKEND``.

There is no type-checking hook in it, whose wrappers PyTorch's compiler cannot trace. Fails with
an exception where what is compiled differs from what is not.
"""

import sys
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from namd.nn.fusion.paths import coupling_table
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts

CHANNELS = 3


class Products(nn.Module):
    """Three products with tables of their own, as a network has them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = ClebschGordanProduct(table=coupling_table(2, 1, 2), channels=CHANNELS)
        self.second = ClebschGordanProduct(table=coupling_table(2, 1, 1), channels=CHANNELS)
        self.third = PathProducts(table=coupling_table(1, 1, 1), channels=CHANNELS)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.sin(self.third(self.second(self.first(a, b), b), b))


def inputs(nodes: int) -> tuple[Tensor, Tensor]:
    """Random features with l ≤ 2 and l ≤ 1."""
    a, b = (torch.randn(size, nodes, CHANNELS, dtype=torch.float64) for size in (9, 4))
    return a.requires_grad_(), b.requires_grad_()


def check_gradients(backend: str, *, sizes: Sequence[int]) -> None:
    """A module in one graph and its first derivatives, for several numbers of nodes."""
    module = Products().double()
    compiled = torch.compile(module, fullgraph=True, backend=backend)
    for nodes in sizes:
        a, b = inputs(nodes)
        wanted, found = module(a, b), compiled(a, b)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
        leaves = (a, b, *module.parameters())
        wanted = torch.autograd.grad(wanted.square().sum(), leaves)
        found = torch.autograd.grad(found.square().sum(), leaves)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def check_loss_on_forces(backend: str) -> None:
    """A loss on a derivative in one graph, and its derivative."""
    module = Products().double()
    a, b = inputs(4)
    parameters = list(module.parameters())

    def loss(x: Tensor) -> Tensor:
        (force,) = torch.autograd.grad(module(x, b.detach()).sum(), x, create_graph=True)
        return force.square().sum()

    wanted = torch.autograd.grad(loss(a), parameters)
    with torch._dynamo.config.patch(trace_autograd_ops=True):
        compiled = torch.compile(loss, fullgraph=True, backend=backend)
        found = torch.autograd.grad(compiled(a), parameters)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def check_transform_is_refused() -> None:
    """A ``torch.func`` transform of the operator raises: it never loses a derivative silently."""
    module = Products().double()
    a, b = inputs(4)

    def loss(x: Tensor) -> Tensor:
        values, pullback = torch.func.vjp(lambda y: module(y, b), x)
        return pullback(torch.ones_like(values))[0].square().sum()

    try:
        torch.compile(loss, fullgraph=True, backend="aot_eager")(a)
    except Exception as error:
        if "setup_context" not in str(error):
            raise
        return
    raise SystemExit("a compiled torch.func.vjp of the product was expected to be refused")


if __name__ == "__main__":
    name = sys.argv[1]
    if name == "inductor":  # slow: once is enough
        warnings.simplefilter("ignore")  # of the compiler itself
        check_gradients(name, sizes=[5])
    else:
        check_gradients(name, sizes=[5, 5, 2])
        check_loss_on_forces(name)
        check_transform_is_refused()
    sys.stdout.write(f"{name}: the same\n")

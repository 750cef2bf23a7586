"""What :mod:`test_compile` runs in a process of its own: ``python compiled.py``.

There is no type-checking hook in it, whose wrappers PyTorch's compiler cannot trace. Fails with
an exception where what is compiled differs from what is not.
"""

import sys

import torch
from torch import Tensor

from namd.config.architecture import Architecture, CormorantArchitecture, MaceArchitecture
from namd.nn.base import DiabaticNetwork
from namd.nn.factory import build_network

NUMBERS = (6, 1, 1)  # compiling takes as long as there are elements and spins
MACE = MaceArchitecture(
    channels=2, l_max=1, hidden_l=1, radial_hidden=(4,), hidden=2, correlation=2
)
CORMORANT = CormorantArchitecture(channels=2, l_max=1, layers=2, hidden=4)
# Those with fusion have all layers of those without.
NETWORKS: dict[str, Architecture] = {
    "mofd-sparse": MACE.model_copy(update={"fusion": "sparse"}),
    "cofd": CORMORANT.model_copy(update={"fusion": "sparse"}),
}


def geometries(molecules: int) -> Tensor:
    """Bent triatomic molecules, Bohr."""
    base = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.4, 2.0], [1.9, 0.0, -0.7]], dtype=torch.float64)
    return base + 0.1 * torch.randn(molecules, 3, 3, dtype=torch.float64)


def check_forces_and_loss(network: DiabaticNetwork) -> None:
    """W, forces and a loss on them in one graph; the loss's derivatives."""
    parameters = list(network.parameters())

    def evaluated(positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        matrix = network(positions)
        (force,) = torch.autograd.grad(matrix.sin().sum(), positions, create_graph=True)
        return matrix.detach(), force.detach(), force.square().sum() + matrix.sum()

    positions = geometries(2).requires_grad_()
    wanted = evaluated(positions)
    with torch._dynamo.config.patch(trace_autograd_ops=True):
        found = torch.compile(evaluated, fullgraph=True, backend="aot_eager")(positions)
        gradients = torch.autograd.grad(found[2], parameters)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-12)
    expected = torch.autograd.grad(wanted[2], parameters)
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-12)
    assert all(value.abs().max() > 1e-3 for value in (*wanted, expected[0]))


def make(architecture: Architecture) -> DiabaticNetwork:
    """A network of random weights with two diabats."""
    numbers = torch.tensor(NUMBERS)
    return build_network(architecture, atomic_numbers=numbers, diabats=2).double()


def check_number_of_molecules(network: DiabaticNetwork) -> None:
    """One graph serves any number of molecules, and is differentiated outside."""
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for molecules, stance in ((4, "default"), (2, "fail_on_recompile")):
        positions = geometries(molecules).requires_grad_()
        torch._dynamo.mark_dynamic(positions, 0)
        with torch.compiler.set_stance(stance):
            found = compiled(positions)
        wanted = network(positions)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
        leaves = (positions, *network.parameters())
        gradients = torch.autograd.grad(found.sin().sum(), leaves)
        expected = torch.autograd.grad(wanted.sin().sum(), leaves)
        torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-12)


if __name__ == "__main__":
    torch.manual_seed(0)
    for name, architecture in NETWORKS.items():
        check_forces_and_loss(make(architecture))
        sys.stdout.write(f"{name}: the same\n")
    check_number_of_molecules(make(CORMORANT.model_copy(update={"layers": 1})))
    sys.stdout.write("one graph for any number of molecules\n")

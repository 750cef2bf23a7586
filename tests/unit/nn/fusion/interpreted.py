"""What :mod:`test_backends` runs under TRITON_INTERPRET=1: the GPU kernels on the CPU.

The kernels against the reference, and, with NAMD_CG_BACKEND=triton, the registered operator that
calls them with its derivatives to second order. Fails with an exception where anything differs.
"""

import sys
from itertools import product

import torch

from namd.nn.fusion.backends import einsum, triton_cuda
from namd.nn.fusion.backends.choice import choose
from namd.nn.fusion.columns import columns_of, registered
from namd.nn.fusion.operators import cg_product
from namd.nn.fusion.paths import coupling_table

SMALL, LARGE = coupling_table(1, 1, 1), coupling_table(2, 2, 1)
CASES = ((SMALL, (0, 1, 2)), (SMALL, (2, 1, 0)), (SMALL, (2, 0, 1)), (LARGE, (0, 1, 2)))
SIZES = ((67, 2), (9, 33))  # more than one block of nodes to sum, and one of channels


def main() -> None:
    compared = 0
    generator = torch.Generator().manual_seed(0)
    for (table, roles), (nodes, channels) in product(CASES, SIZES):
        columns = columns_of(columns_of(registered(table)).permuted(roles))
        shapes = [(size, nodes, channels) for size in columns.sizes]
        shapes.append((columns.paths, channels))
        a, b, g, w = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
        for kernels, reference in (
            (triton_cuda.product(a, b, w, columns), einsum.product(a, b, w, columns)),
            (triton_cuda.reduction(a, b, g, columns), einsum.reduction(a, b, g, columns)),
        ):
            torch.testing.assert_close(kernels, reference, rtol=0, atol=1e-11)
            compared += 1
    sys.stdout.write(f"{compared} comparisons: the same\n")
    key, (first, second, _) = registered(SMALL), SMALL.dimensions
    shapes = [(first, 2, 1), (second, 2, 1), (len(SMALL.paths), 1)]
    operands = [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]

    def function(*given: torch.Tensor) -> torch.Tensor:
        return cg_product(*given, key)

    assert choose("cpu").name == "triton", "the operator takes another back end"
    torch.autograd.gradcheck(function, operands)
    torch.autograd.gradgradcheck(function, operands)
    sys.stdout.write("derivatives to second order: right\n")


if __name__ == "__main__":
    main()

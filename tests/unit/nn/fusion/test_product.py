"""The Clebsch–Gordan product: against e3nn, against einsum, and its derivatives."""

import numpy as np
import pytest
import torch
from e3nn import o3

from namd.nn.fusion.irreps import natural_irreps
from namd.nn.fusion.paths import allowed_paths, coupling_table
from namd.nn.fusion.product import (
    ClebschGordanProduct,
    _apply,
    _Reduction,
    dense_product,
    dense_reduction,
)

CASES = [(1, 1, 1), (2, 2, 2), (2, 1, 2), (3, 2, 1)]


def features(l_max: int, nodes: int, channels: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = ((l_max + 1) ** 2, nodes, channels)
    return torch.randn(size, generator=generator, dtype=torch.float64)


def test_paths_keep_natural_parity_and_the_triangle_rule() -> None:
    paths = allowed_paths(*[natural_irreps(2)] * 3)
    assert len(paths) == 11
    assert (1, 1, 1) not in paths
    assert all(abs(a - b) <= c <= a + b and (a + b + c) % 2 == 0 for a, b, c in paths)


def test_l1_times_l1_to_scalar_is_the_dot_product() -> None:
    table = coupling_table(1, 1, 0)
    product = ClebschGordanProduct(table=table, channels=2).double()
    weight = torch.zeros_like(product.weight)
    weight[table.paths.index((1, 1, 0))] = 1.0
    a, b = features(1, 5, 2, 0), features(1, 5, 2, 1)
    result = _apply(a, b, weight, product.columns)
    torch.testing.assert_close(result[0], (a[1:] * b[1:]).sum(0) / 3**0.5)


@pytest.mark.parametrize(("first", "second", "output"), CASES)
def test_equals_dense_reference(first: int, second: int, output: int) -> None:
    table = coupling_table(first, second, output)
    product = ClebschGordanProduct(table=table, channels=3).double()
    a, b = features(first, 7, 3, 0), features(second, 7, 3, 1)
    dense = torch.from_numpy(table.dense())
    reference = torch.einsum("pijk,pc,inc,jnc->knc", dense, product.weight, a, b)
    torch.testing.assert_close(product(a, b), reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("roles", [(0, 1, 2), (2, 1, 0), (2, 0, 1)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_compiled_loops_equal_the_dense_path_of_other_devices(
    roles: tuple[int, int, int], dtype: torch.dtype
) -> None:
    table = coupling_table(2, 1, 2)
    columns = ClebschGordanProduct(table=table, channels=3).columns.permuted(roles)
    generator = torch.Generator().manual_seed(5)
    a, b, g = (torch.randn(n, 7, 3, generator=generator, dtype=dtype) for n in columns.size)
    w = torch.randn(len(table.paths), 3, generator=generator, dtype=dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(
        _apply(a, b, w, columns), dense_product(a, b, w, columns), rtol=0, atol=tolerance
    )
    torch.testing.assert_close(
        _Reduction.apply(a, b, g, columns),
        dense_reduction(a, b, g, columns),
        rtol=0,
        atol=10 * tolerance,
    )


def test_agrees_with_e3nn_tensor_product() -> None:
    table = coupling_table(2, 2, 2)
    a, b = features(2, 4, 1, 2), features(2, 4, 1, 3)
    product = ClebschGordanProduct(table=table, channels=1).double()
    ours = product(a, b)[:, :, 0]
    irreps = o3.Irreps("0e + 1o + 2e")
    total = torch.zeros_like(ours)
    for weight, (l1, l2, l3) in zip(product.weight[:, 0], table.paths, strict=True):
        oracle = o3.TensorProduct(
            irreps, irreps, irreps, [(l1, l2, l3, "uuu", False)], irrep_normalization="component"
        ).double()
        total += weight * oracle(a[:, :, 0].T, b[:, :, 0].T).T
    torch.testing.assert_close(ours, total, rtol=0, atol=1e-6)  # e3nn stores float32 constants


def test_first_and_second_derivatives() -> None:
    table = coupling_table(2, 1, 2)
    columns = ClebschGordanProduct(table=table, channels=2).columns
    a = features(2, 3, 2, 0).requires_grad_()
    b = features(1, 3, 2, 1).requires_grad_()
    w = torch.randn(len(table.paths), 2, dtype=torch.float64, requires_grad=True)
    g = features(2, 3, 2, 4).requires_grad_()

    def product(a: torch.Tensor, b: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return _apply(a, b, w, columns)

    def reduction(a: torch.Tensor, b: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return _Reduction.apply(a, b, g, columns)

    assert torch.autograd.gradcheck(product, (a, b, w))
    assert torch.autograd.gradgradcheck(product, (a, b, w))
    assert torch.autograd.gradcheck(reduction, (a, b, g))


def test_result_does_not_depend_on_the_number_of_nodes() -> None:
    product = ClebschGordanProduct(table=coupling_table(2, 2, 2), channels=8)
    a, b = features(2, 33, 8, 0).float(), features(2, 33, 8, 1).float()
    whole = product(a, b).detach().numpy()
    alone = product(a[:, 5:6], b[:, 5:6]).detach().numpy()
    np.testing.assert_array_equal(whole[:, 5:6], alone)

"""The modules of the Clebsch–Gordan product: against e3nn, against einsum, copied and stored."""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from e3nn import o3

from namd.nn.fusion.irreps import natural_irreps
from namd.nn.fusion.operators import cg_product
from namd.nn.fusion.paths import allowed_paths, coupling_table
from namd.nn.fusion.product import ClebschGordanProduct, PathProducts

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
    result = cg_product(a, b, weight, product.key)
    torch.testing.assert_close(result[0], (a[1:] * b[1:]).sum(0) / 3**0.5)


@pytest.mark.parametrize(("first", "second", "output"), CASES)
def test_equals_dense_reference(first: int, second: int, output: int) -> None:
    table = coupling_table(first, second, output)
    product = ClebschGordanProduct(table=table, channels=3).double()
    a, b = features(first, 7, 3, 0), features(second, 7, 3, 1)
    dense = torch.from_numpy(table.dense())
    reference = torch.einsum("pijk,pc,inc,jnc->knc", dense, product.weight, a, b)
    torch.testing.assert_close(product(a, b), reference, rtol=0, atol=1e-12)


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


def test_result_does_not_depend_on_the_number_of_nodes() -> None:
    product = ClebschGordanProduct(table=coupling_table(2, 2, 2), channels=8)
    a, b = features(2, 33, 8, 0).float(), features(2, 33, 8, 1).float()
    whole = product(a, b).detach().numpy()
    alone = product(a[:, 5:6], b[:, 5:6]).detach().numpy()
    np.testing.assert_array_equal(whole[:, 5:6], alone)


@pytest.mark.parametrize("weighted", [True, False])
def test_copies_and_pickles_compute_the_same(weighted: bool) -> None:
    table = coupling_table(2, 1, 2)
    kind = ClebschGordanProduct if weighted else PathProducts
    product = kind(table=table, channels=3).double()
    a, b = features(2, 4, 3, 0), features(1, 4, 3, 1)
    stored = io.BytesIO()
    torch.save(product, stored)
    stored.seek(0)
    for other in (copy.deepcopy(product), torch.load(stored, weights_only=False)):
        assert torch.equal(other(a, b), product(a, b))


def test_a_pickle_works_in_a_process_that_never_saw_its_table() -> None:
    product = ClebschGordanProduct(table=coupling_table(2, 1, 2), channels=2).double()
    a, b = features(2, 2, 2, 0), features(1, 2, 2, 1)
    script = (
        "import pickle, sys; product, a, b = pickle.load(sys.stdin.buffer); "
        "sys.stdout.buffer.write(product(a, b).detach().numpy().tobytes())"
    )
    done = subprocess.run(  # noqa: S603  (our own interpreter and script)
        [sys.executable, "-c", script],
        input=pickle.dumps((product, a, b)),
        capture_output=True,
        check=True,
    )
    expected = product(a, b).detach().numpy()
    np.testing.assert_array_equal(np.frombuffer(done.stdout).reshape(expected.shape), expected)

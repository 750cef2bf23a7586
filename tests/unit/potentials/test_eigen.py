"""The batched eigensolver against LAPACK, at degeneracies, and alone against in a batch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.potentials.eigen import symmetric_eigen


def random_symmetric(size, *, batch=64, seed=0, scale=1.0):
    noise = torch.randn(batch, size, size, dtype=torch.float64, generator=generator(seed))
    return scale * (noise + noise.mT)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def assert_solves(matrix, *, tolerance=2e-14):
    values, vectors = symmetric_eigen(matrix)
    scale = matrix.abs().amax((1, 2), keepdim=True).clamp(min=1e-300)
    unit = torch.eye(matrix.shape[-1], dtype=torch.float64)
    assert ((matrix @ vectors - vectors * values[:, None]) / scale).abs().max() < tolerance
    assert (vectors.mT @ vectors - unit).abs().max() < tolerance
    expected = torch.linalg.eigh(matrix).eigenvalues
    assert ((values - expected) / scale[..., 0]).abs().max() < tolerance
    assert (values.diff(dim=1) >= 0).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 12])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_random_matrices(size, scale):
    assert_solves(random_symmetric(size, scale=scale))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_exact_and_near_degeneracy(size):
    unit = torch.eye(size, dtype=torch.float64).expand(3, -1, -1)
    assert_solves(-78.5 * unit)
    assert_solves(0.0 * unit)
    basis = torch.linalg.qr(random_symmetric(size, batch=3, seed=1)).Q
    levels = torch.tensor([1.0, 1.0, *range(2, size)], dtype=torch.float64)
    rotated = (basis * levels) @ basis.mT
    assert_solves(0.5 * (rotated + rotated.mT))
    assert_solves(unit + 1e-15 * random_symmetric(size, batch=3, seed=2))


@given(
    a=st.floats(-1e3, 1e3),
    d=st.floats(-1e3, 1e3),
    exponent=st.floats(-30, 3),
    sign=st.sampled_from([-1, 1]),
)
def test_two_by_two_with_any_coupling(a, d, exponent, sign):
    b = sign * 10.0**exponent
    assert_solves(torch.tensor([[[a, b], [b, d]]], dtype=torch.float64))


def test_small_coupling_keeps_its_relative_accuracy():
    matrix = torch.tensor([[[1.0, 1e-12], [1e-12, 0.0]]], dtype=torch.float64)
    _, vectors = symmetric_eigen(matrix)
    assert vectors[0, 0, 0].abs().item() == pytest.approx(1e-12, rel=1e-14)


@pytest.mark.parametrize("size", [2, 3, 6])
def test_a_matrix_gives_the_same_bits_alone_and_in_a_batch(size):
    batch = random_symmetric(size, batch=67, seed=3)
    values, vectors = symmetric_eigen(batch)
    for k in (0, 1, 65, 66):
        alone = symmetric_eigen(batch[k : k + 1])
        assert torch.equal(alone[0][0], values[k])
        assert torch.equal(alone[1][0], vectors[k])


@pytest.mark.parametrize("size", [2, 3])
def test_nan_stays_where_it_is(size):
    batch = random_symmetric(size, batch=5, seed=4)
    expected = symmetric_eigen(batch)
    batch[2, 0, 1] = batch[2, 1, 0] = float("nan")
    values, vectors = symmetric_eigen(batch)
    assert values[2].isnan().any()
    rest = torch.tensor([0, 1, 3, 4])
    assert torch.equal(values[rest], expected[0][rest])
    assert torch.equal(vectors[rest], expected[1][rest])

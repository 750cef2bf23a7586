"""Coupling trees and the symmetric contraction that evaluates them."""

import numpy as np
import pytest
import torch
from e3nn import o3
from scipy.linalg import block_diag
from scipy.spatial.transform import Rotation

from namd.nn.published.contraction import SymmetricContraction
from namd.nn.published.trees import coupling_trees, independent_basis, symmetric_trees


@pytest.mark.parametrize(
    ("l_max", "counts"),
    [(2, {0: (11, 5), 1: (21, 5), 2: (23, 6)}), (3, {0: (23, 8), 1: (51, 12), 2: (65, 14)})],
)
def test_known_numbers_of_trees_and_of_independent_ones(l_max: int, counts: dict) -> None:
    """Three equal legs into 0e, 1o, 2e: left combs, and the rank of their symmetric parts."""
    for l, (trees, independent) in counts.items():
        basis, in_basis = independent_basis(l_max, 3, l)
        assert in_basis.shape == (independent, trees)
        np.testing.assert_allclose(
            basis @ in_basis, symmetric_trees(l_max, 3)[l], rtol=0, atol=1e-12
        )


def turns(l: int, turn: torch.Tensor) -> np.ndarray:
    """The matrix that turns harmonics of one l, found from their values at many points."""
    points = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    here, there = (
        o3.spherical_harmonics(l, p, normalize=True).numpy() for p in (points, points @ turn.T)
    )
    return np.linalg.lstsq(here, there, rcond=None)[0].T


def test_trees_are_equivariant() -> None:
    turn = torch.from_numpy(Rotation.random(random_state=3).as_matrix())
    legs = block_diag(*(turns(l, turn) for l in range(3)))
    for l, _, tree in coupling_trees(2, 3):
        turned = np.einsum("aijk,ix,jy,kz->axyz", tree, legs, legs, legs)
        expected = np.einsum("ab,bxyz->axyz", turns(l, turn), tree)
        np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-10)


def test_contraction_is_the_weighted_sum_of_its_trees() -> None:
    """Against the plain sum of Batatia et al. 2022, eq. 10, tree by tree."""
    counts, channels = [2, 1], 3
    layer = SymmetricContraction(
        input_l=2, output_l=1, degree=3, channels=channels, counts=counts
    ).double()
    feature = torch.randn(2, 3, 9, channels, dtype=torch.float64)
    element = torch.tensor([0, 0, 1])
    expected = torch.zeros(2, 3, 4, channels, dtype=torch.float64)
    letters = "ijk"
    for (nu, l), weight in zip(layer.terms(), layer.weights, strict=True):
        natural = [t for t in coupling_trees(2, nu) if t[:2] == (l, (-1) ** l)]
        for number, (_, _, tree) in enumerate(natural):
            legs = ",".join(f"ba{letters[n]}c" for n in range(nu))
            value = torch.einsum(
                f"m{letters[:nu]},{legs}->bamc", torch.from_numpy(tree), *[feature] * nu
            )
            expected[:, :, l * l : (l + 1) ** 2] += value * weight[element, number][None, :, None]
    torch.testing.assert_close(layer(feature), expected, rtol=1e-10, atol=1e-10)

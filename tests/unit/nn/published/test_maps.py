"""The parametrisation of the published networks: what random weights do to random features."""

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from namd.nn.published.maps import SILU_SCALE, ElementLinear, IrrepLinear, Perceptron, parts


def test_scaled_silu_has_unit_second_moment() -> None:
    def square(z: float) -> float:
        return float(torch.nn.functional.silu(torch.tensor(z, dtype=torch.float64))) ** 2

    second, _ = quad(lambda z: square(z) * norm.pdf(z), -12, 12)
    assert pytest.approx(second**-0.5, rel=1e-9) == SILU_SCALE


def test_fresh_maps_keep_unit_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(1)
    feature = torch.randn(40, 30, 9, 64, generator=generator)
    deep = Perceptron([64, 64, 64, 64])(feature)
    mixed = IrrepLinear(inputs=[64] * 3, outputs=64)(parts(feature))
    assert float(deep.detach().square().mean()) == pytest.approx(1.0, abs=0.15)
    assert float(mixed.detach().square().mean()) == pytest.approx(1.0, abs=0.1)


def test_every_element_has_a_matrix_of_its_own() -> None:
    layer = ElementLinear(l_max=1, channels=3, counts=[2, 1])
    feature = torch.randn(4, 3, 9, 3)
    mixed = layer(feature)
    assert mixed.shape == (4, 3, 4, 3)
    for atom, element in enumerate([0, 0, 1]):
        expected = feature[:, atom, 1:4] @ layer.weights[1][element] / 6**0.5
        torch.testing.assert_close(mixed[:, atom, 1:4], expected)

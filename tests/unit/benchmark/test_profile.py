"""Operations and bytes of the parts of an evaluation, against formulas."""

import pytest
import torch
from torch import Tensor, nn

from namd.benchmark.profile import DERIVATIVE, Peaks, measure_peaks, profile
from namd.config.architecture import FusionArchitecture, PerceptronArchitecture
from namd.nn.factory import build_network
from namd.nn.fusion.paths import coupling_table
from namd.nn.fusion.product import ClebschGordanProduct
from namd.nn.operations import derivative_flops, forward_flops
from namd.nn.summary import lattice

ATOMS, MOLECULES, HIDDEN = 4, 3, 8
NUMBERS = torch.tensor([6, 1, 1, 1])
PEAKS = Peaks(gflops=2.0, gigabytes_per_second=1.0)


def test_a_perceptron_moves_and_multiplies_what_its_matrices_say() -> None:
    network = build_network(
        PerceptronArchitecture(hidden=HIDDEN, layers=1), atomic_numbers=NUMBERS, diabats=2
    ).requires_grad_(False)
    parts = {
        part.part: part
        for part in profile(network, PEAKS, atoms=ATOMS, molecules=MOLECULES, repeats=2)
    }
    assert list(parts) == ["body", "rest", DERIVATIVE]
    body = parts["body"]
    widths = ((6, HIDDEN), (HIDDEN, 3))  # six distances, three elements of W
    products = sum(2 * MOLECULES * a * b for a, b in widths)
    assert body.gflop == pytest.approx(1e-9 * (products + MOLECULES * HIDDEN))
    numbers = sum(MOLECULES * a + a * b + b + MOLECULES * b for a, b in widths)
    assert body.gigabytes == pytest.approx(4e-9 * (numbers + 2 * MOLECULES * HIDDEN))
    # Two matrix products lead back to the distances, and a few numbers for each of the latter.
    assert products < 1e9 * parts[DERIVATIVE].gflop < 3 * products
    for part in parts.values():
        floor = max(part.gflop / PEAKS.gflops, part.gigabytes / PEAKS.gigabytes_per_second)
        assert part.floor_share == pytest.approx(1000 * floor / part.milliseconds.median)
        assert part.gflops == pytest.approx(1000 * part.gflop / part.milliseconds.median)


def test_the_parts_of_a_fusion_network_are_all_of_it() -> None:
    architecture = FusionArchitecture(channels=4, radial=3, hidden=8)
    network = build_network(architecture, atomic_numbers=NUMBERS, diabats=2).requires_grad_(False)
    parts = profile(network, PEAKS, atoms=ATOMS, molecules=MOLECULES, repeats=1)
    names = [part.part for part in parts]
    assert names == ["pairs", "density", "first", "layers.0", "readout", "rest", DERIVATIVE]
    whole = forward_flops(network, lattice(ATOMS).float().repeat(MOLECULES, 1, 1))[""]
    assert sum(part.gflop for part in parts[:-1]) == pytest.approx(1e-9 * whole)
    assert parts[-1].gflop > 1e-9 * whole  # both factors of a product depend on the geometry
    assert all(part.gigabytes > 0 and part.milliseconds.lowest > 0 for part in parts)


class Square(nn.Module):
    """A compiled product of a feature with itself, or with a constant."""

    def __init__(self, *, constant: bool) -> None:
        super().__init__()
        self.product = ClebschGordanProduct(table=coupling_table(1, 1, 1), channels=2)
        self.constant = constant

    def forward(self, positions: Tensor) -> Tensor:
        feature = positions.reshape(4, -1, 2)
        other = torch.ones_like(feature) if self.constant else feature
        result: Tensor = self.product(feature, other)
        return result


@pytest.mark.parametrize(("constant", "factors"), [(True, 1), (False, 2)])
def test_a_product_is_derived_by_as_many_products_as_it_has_varying_factors(
    constant: bool, factors: int
) -> None:
    network = Square(constant=constant).requires_grad_(False)
    positions = torch.randn(1, 8, 3)
    rows = 3
    forward = network.product.flops(rows)
    assert forward_flops(network, positions)[""] == forward
    sums = 0 if constant else positions.numel()  # of both factors' derivatives
    assert derivative_flops(network, positions) == factors * forward + sums


def test_peaks_are_those_of_a_machine() -> None:
    peaks = measure_peaks()
    assert 0.1 < peaks.gflops < 1e5
    assert 0.1 < peaks.gigabytes_per_second < 1e5

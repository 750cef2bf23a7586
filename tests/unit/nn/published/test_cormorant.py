"""Layers of Cormorant and CoFD against plain sums, from other Clebsch–Gordan coefficients.

The sums are in :mod:`plain_cormorant`; derivatives there are complex steps.
"""

from itertools import product

import numpy as np
import pytest
import torch

from namd.config.architecture import CormorantArchitecture
from namd.nn.factory import build_network
from namd.nn.fusion import paths
from namd.nn.published import convolution
from namd.nn.published.cormorant import CormorantLayer, CormorantNetwork, SelfProduct
from namd.nn.published.edges import EdgeBasis
from namd.units import ANGSTROM_PER_BOHR
from tests.unit.nn.published.plain_cormorant import (
    Feature,
    Pairs,
    Weights,
    layer_update,
    node_scalars,
)
from tests.unit.nn.published.plain_cormorant import square as plain_square
from tests.unit.nn.published.plain_coupling import coefficients, pairs_of, triangle

ATOMS, L, CHANNELS, RADIAL, ORDER = 5, 2, 2, 3, 5
CUTOFF = 2.4  # Å; of ten pairs some are beyond
COMPONENTS = (L + 1) ** 2
NEIGHBOURS = 2.7


def architecture(fusion: str, *, internal_l: int = 2) -> CormorantArchitecture:
    sizes = {"l_max": L, "channels": CHANNELS, "radial": RADIAL, "layers": 2, "hidden": 4}
    return CormorantArchitecture.model_validate(
        {**sizes, "cutoff_angstrom": CUTOFF, "envelope_order": ORDER, "fusion": fusion}
        | {"internal_l": internal_l}
    )


def places() -> torch.Tensor:
    """Two geometries in Bohr, without any symmetry."""
    rows = [[0, 0, 0], [0.4, 2.4, 0.9], [1.9, -0.9, 0.8], [-1.2, -1.3, -1.4], [2.2, 3.1, 2.1]]
    return torch.tensor(rows, dtype=torch.float64) + 0.2 * random(ATOMS, 3, seed=0)


def basis() -> EdgeBasis:
    made = EdgeBasis(cutoff=CUTOFF, radial=RADIAL, l_max=L, envelope_order=ORDER, atoms=ATOMS)
    return made.double()


def plain_pairs() -> Pairs:
    angstrom = places().numpy() * ANGSTROM_PER_BOHR
    return pairs_of(angstrom, cutoff=CUTOFF, radial=RADIAL, order=ORDER)


def apart(feature: torch.Tensor) -> Feature:
    """[molecule, atom, component, channel] number by number."""
    l_max = round(feature.shape[2] ** 0.5) - 1
    return {
        (i, l, c): [feature[:, i, l * l + m, c].numpy() for m in range(2 * l + 1)]
        for i, l, c in product(range(ATOMS), range(l_max + 1), range(feature.shape[3]))
    }


def together(feature: Feature) -> np.ndarray:
    """[molecule, atom, component, channel] again."""
    stacked = np.empty((2, ATOMS, COMPONENTS, CHANNELS))
    for (i, l, c), part in feature.items():
        stacked[:, i, l * l : (l + 1) ** 2, c] = np.array(part).T
    return stacked


def pair_weights(weights: torch.Tensor) -> Weights:
    """[molecule, pair, width] for both directions of every pair."""
    found = {}
    for number, (i, j) in enumerate(torch.triu_indices(ATOMS, ATOMS, offset=1).T.tolist()):
        found[i, j] = found[j, i] = list(weights[:, number].numpy().T)
    return found


def random(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


def test_our_coefficients_are_those_of_condon_and_shortley() -> None:
    """Of every parity, and with the same signs."""
    for l1, l2, l3 in product(range(4), repeat=3):
        if triangle(l1, l2, l3):
            expected = coefficients(l1, l2, l3)
            for ours in (paths.clebsch_gordan(l1, l2, l3), convolution.clebsch_gordan(l1, l2, l3)):
                np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-13)


def test_waves_window_and_harmonics_are_those_of_the_formulas() -> None:
    edges = basis()(places())
    found = plain_pairs()
    beyond = 0
    for i, j in product(range(ATOMS), repeat=2):
        if i == j:
            assert not edges.within[:, i, j].any()
            continue
        number, pair = edges.pair[i, j], found[i, j]
        beyond += int((pair.window == 0).sum())
        expected = {
            "waves": (edges.waves[:, number], np.array(pair.waves).T),
            "window": (edges.window[:, number], pair.window),
            "harmonics": (edges.harmonics[:, i, j], np.concatenate(pair.harmonics).T),
        }
        for name, (ours, plain) in expected.items():
            np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(edges.within[:, i, j], pair.window != 0)
    assert 0 < beyond < 2 * ATOMS * (ATOMS - 1)


@pytest.mark.parametrize("input_l", [0, L])
def test_a_square_is_the_sum_over_its_paths(input_l: int) -> None:
    layer = SelfProduct(input_l=input_l, output_l=L, channels=CHANNELS).double()
    feature = random(ATOMS, (input_l + 1) ** 2, CHANNELS, seed=1)
    found, plain = layer(feature), apart(feature)
    assert list(found) == ([0] if input_l == 0 else list(range(L + 1)))
    for l, i, c in product(found, range(ATOMS), range(CHANNELS)):
        expected = plain_square(plain, i, c, input_l=input_l, output_l=l)
        assert found[l].shape[-1] == len(expected) * CHANNELS
        for number, part in enumerate(expected):
            ours = found[l][:, i, :, number * CHANNELS + c]
            np.testing.assert_allclose(ours, np.array(part).T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("fusion", "internal_l", "input_l"),
    [("none", 2, 0), ("sparse", 2, 0), ("none", 2, L), ("sparse", 1, L), ("sparse", 2, L)],
)
def test_a_layer_is_its_plain_sum(fusion: str, internal_l: int, input_l: int) -> None:
    """Edge weights and features; a first layer has no earlier weights and no fusion block."""
    torch.manual_seed(0)
    layer = CormorantLayer(architecture(fusion, internal_l=internal_l), input_l=input_l).double()
    assert (layer.fusion is not None) == (fusion == "sparse" and input_l > 0)
    feature = random(ATOMS, (input_l + 1) ** 2, CHANNELS, seed=2)
    number = ATOMS * (ATOMS - 1) // 2
    weights = None if input_l == 0 else random(number, (L + 1) * CHANNELS, seed=3)
    neighbours = torch.tensor(NEIGHBOURS, dtype=torch.float64)
    with torch.no_grad():
        found, found_weights = layer(feature, weights, basis()(places()), neighbours)
    expected, expected_weights = layer_update(
        layer,
        apart(feature),
        None if weights is None else pair_weights(weights),
        plain_pairs(),
        neighbours=NEIGHBOURS,
        internal_l=internal_l,
    )
    np.testing.assert_allclose(found, together(expected), rtol=0, atol=1e-10)
    assert found.shape == (2, ATOMS, COMPONENTS, CHANNELS)
    assert found.abs().amax((0, 1, 3)).min() > 0.1  # no component is zero
    ours = pair_weights(found_weights)
    assert ours.keys() == expected_weights.keys()
    for edge, values in ours.items():
        np.testing.assert_allclose(values, expected_weights[edge], rtol=0, atol=1e-10)


@pytest.mark.parametrize("fusion", ["none", "sparse"])
def test_invariants_of_all_layers_and_their_gradients_are_those_of_plain_sums(fusion: str) -> None:
    """From positions through two layers; atoms are not in the order of their elements."""
    numbers, elements = (7, 1, 6, 1, 7), (2, 0, 1, 0, 2)
    torch.manual_seed(1)
    network = build_network(
        architecture(fusion), atomic_numbers=torch.tensor(numbers), diabats=2
    ).double()
    assert isinstance(network, CormorantNetwork)
    network.neighbours.fill_(NEIGHBOURS)
    positions = places().requires_grad_()
    scalars = network.node_scalars(positions)
    cotangent = random(*scalars.shape[1:], seed=4)
    (gradient,) = torch.autograd.grad(scalars, positions, cotangent)

    step, size = 1e-30, 3 * ATOMS  # along every coordinate of either geometry
    moved = places().numpy()[:, None] + 1j * step * np.eye(size).reshape(size, ATOMS, 3)
    plain = np.array(
        node_scalars(
            network,
            moved.reshape(-1, ATOMS, 3) * ANGSTROM_PER_BOHR,
            elements=elements,
            internal_l=2,
        )
    ).reshape(ATOMS, -1, 2, size)
    values = plain[..., 0].real.transpose(2, 0, 1)
    np.testing.assert_allclose(scalars.detach(), values, rtol=0, atol=1e-10)
    slopes = np.einsum("bas,asbn->bn", cotangent.numpy(), plain.imag) / step
    np.testing.assert_allclose(gradient.flatten(1), slopes, rtol=1e-10, atol=1e-10)
    assert np.abs(slopes).max() > 0.2
    assert np.abs(slopes).min() > 1e-4  # along every coordinate

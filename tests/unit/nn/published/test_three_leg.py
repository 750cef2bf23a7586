"""The three-leg fusion block against plain sums, and what it becomes with scalars alone."""

import pytest
import torch
from e3nn import o3

from namd.nn.published.edges import EdgeBasis, Edges
from namd.nn.published.three_leg import DenseFusion, SparseFusion, internal_edges
from tests.unit.nn.conftest import geometries

L, CHANNELS, RADIAL = 2, 3, 4
SIZES = {"harmonic_l": L, "output_l": L, "channels": CHANNELS, "radial": RADIAL}


@pytest.fixture(scope="module")
def edges() -> Edges:
    basis = EdgeBasis(cutoff=3.0, radial=RADIAL, l_max=L, envelope_order=5, atoms=6).double()
    return basis(geometries(2))


def on_edges(weights: torch.Tensor, edges: Edges) -> torch.Tensor:
    return weights[:, edges.pair] * edges.within[..., None]


def coefficients(l1: int, l2: int, l3: int) -> torch.Tensor:
    return o3.wigner_3j(l1, l2, l3, dtype=torch.float64) * (2 * l3 + 1) ** 0.5


def block(l: int) -> slice:
    return slice(l * l, (l + 1) ** 2)


def test_internal_edges_of_the_published_block() -> None:
    found = internal_edges(feature_l=3, harmonic_l=3, output_l=3, internal_l=2)
    by_irrep = {(edge.l, edge.parity): edge for edge in found}
    # No pseudoscalar arises from two features of natural parity.
    assert set(by_irrep) == {(0, 1), (1, -1), (1, 1), (2, 1), (2, -1)}
    assert by_irrep[0, 1].incoming == ((0, 0), (1, 1), (2, 2), (3, 3))
    assert by_irrep[1, 1].incoming == ((1, 1), (2, 2), (3, 3))
    assert by_irrep[2, 1].outgoing == ((0, 2), (1, 1), (1, 3), (2, 0), (2, 2), (3, 1), (3, 3))


def test_sparse_block_is_the_sum_over_its_diagrams(edges: Edges) -> None:
    torch.manual_seed(0)
    layer = SparseFusion(feature_l=L, internal_l=2, **SIZES).double()
    feature = torch.randn(2, 6, 9, CHANNELS, dtype=torch.float64)
    legs = torch.cat(
        [feature[..., block(l), :] @ w / CHANNELS**0.5 for l, w in enumerate(layer.legs.weights)], 2
    )
    radial = on_edges(layer.radial(edges.waves), edges)
    found = internal_edges(feature_l=L, harmonic_l=L, output_l=L, internal_l=2)
    diagrams = [sum(l == J for e in found for _, J in e.outgoing) for l in range(L + 1)]
    expected = torch.zeros_like(feature)
    for edge in found:
        for l1, l2 in edge.incoming:
            for l, J in edge.outgoing:
                expected[:, :, block(J)] += (
                    torch.einsum(
                        "uvk,kyJ,biuc,bjvc,bijy,bijc->biJc",
                        coefficients(l1, l2, edge.l),
                        coefficients(edge.l, l, J),
                        legs[..., block(l1), :],
                        legs[..., block(l2), :],
                        edges.harmonics[..., block(l)],
                        radial[..., l * CHANNELS : (l + 1) * CHANNELS],
                    )
                    / (len(edge.incoming) * diagrams[J]) ** 0.5
                )
    mixed = [
        expected[..., block(l), :] @ w / CHANNELS**0.5 for l, w in enumerate(layer.mix.weights)
    ]
    torch.testing.assert_close(layer(feature, edges), torch.cat(mixed, 2), rtol=0, atol=1e-12)


def test_dense_block_is_the_sum_over_its_diagrams(edges: Edges) -> None:
    """Nested tuples (0), (0, 1): the scalar has two copies with mixes of their own."""
    torch.manual_seed(0)
    layer = DenseFusion(feature_l=1, internal_l=1, **SIZES).double()
    feature = torch.randn(2, 6, 4, CHANNELS, dtype=torch.float64)
    root, neighbour = (
        torch.cat([feature[..., block(l), :] @ w / CHANNELS**0.5 for l, w in enumerate(legs)], 2)
        for legs in (layer.roots.weights, layer.neighbours.weights)
    )
    radial = on_edges(layer.radial(edges.waves), edges)
    outputs: list[list[torch.Tensor]] = [[] for _ in range(L + 1)]
    used = 0
    found = internal_edges(feature_l=1, harmonic_l=L, output_l=L, internal_l=1)
    for edge, mix in zip(found, layer.internal, strict=True):
        (weight,) = mix.weights
        pairs = torch.cat(
            [
                torch.einsum(
                    "uvk,biuc,bjvc->bijkc",
                    coefficients(l1, l2, edge.l),
                    root[..., block(l1), :],
                    neighbour[..., block(l2), :],
                )
                for l1, l2 in edge.incoming
            ],
            -1,
        )
        pairs = pairs @ weight / len(weight) ** 0.5
        assert weight.shape == (len(edge.incoming) * CHANNELS, (2 - edge.l) * CHANNELS)
        for l, J in edge.outgoing:
            width = pairs.shape[-1]
            outputs[J].append(
                torch.einsum(
                    "kyJ,bijkc,bijy,bijc->biJc",
                    coefficients(edge.l, l, J),
                    pairs,
                    edges.harmonics[..., block(l)],
                    radial[..., used : used + width],
                )
            )
            used += width
    assert used == radial.shape[-1]
    mixed = [
        torch.cat(group, -1) @ w / len(w) ** 0.5
        for group, w in zip(outputs, layer.mix.weights, strict=True)
    ]
    torch.testing.assert_close(layer(feature, edges), torch.cat(mixed, 2), rtol=0, atol=1e-12)


def test_with_scalars_alone_the_block_is_the_root_times_a_convolution(edges: Edges) -> None:
    """Why the block is not in the first layer: it adds no geometry there."""
    torch.manual_seed(0)
    layer = SparseFusion(feature_l=0, internal_l=2, **SIZES).double()
    feature = torch.randn(2, 6, 1, CHANNELS, dtype=torch.float64)
    scalar = feature @ layer.legs.weights[0] / CHANNELS**0.5
    radial = on_edges(layer.radial(edges.waves), edges)
    for l, weight in enumerate(layer.mix.weights):
        convolution = torch.einsum(
            "bijy,bijc,bjc->biyc",
            edges.harmonics[..., block(l)],
            radial[..., l * CHANNELS : (l + 1) * CHANNELS],
            scalar[:, :, 0],
        )
        expected = (scalar * convolution) @ weight / CHANNELS**0.5
        found = layer(feature, edges)[..., block(l), :]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

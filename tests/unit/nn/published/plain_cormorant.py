"""Cormorant and CoFD as plain sums over atoms, neighbours, channels, l and m.

Slow and literal: the formulas at the top of :mod:`namd.nn.published.cormorant` and
:mod:`namd.nn.published.three_leg`, with weights read from our layers. Every ordered pair is
evaluated on its own, every diagram of the fusion block edge by edge.
"""

from collections.abc import Sequence
from itertools import product
from math import sqrt

import numpy as np
from scipy.integrate import quad
from torch import Tensor

from namd.nn.published.cormorant import CormorantLayer, CormorantNetwork, EdgeUpdate
from namd.nn.published.three_leg import SparseFusion
from tests.unit.nn.published.plain_coupling import (
    Components,
    Number,
    Pair,
    added,
    couple,
    linear,
    pairs_of,
    triangle,
)

Feature = dict[tuple[int, int, int], Components]  # by atom, l, channel
Weights = dict[tuple[int, int], list[Number]]  # by centre and neighbour; (l of Y, channel)
Pairs = dict[tuple[int, int], Pair]


def numbers(parameter: Tensor) -> np.ndarray:
    """A parameter in NumPy."""
    array: np.ndarray = parameter.detach().numpy()
    return array


def edge_update(
    layer: EdgeUpdate, weights: Weights | None, feature: Feature, pairs: Pairs, *, channels: int
) -> Weights:
    """g_ij = f(r_ij) [F_i·F_j / (2l + 1) ⊕ B(r_ij) ⊕ g_ij] W, by l and channel."""
    (matrix,) = layer.mix.weights
    highest = max(l for _, l, _ in feature)
    updated = {}
    for (i, j), pair in pairs.items():
        rows = []
        for l, c in product(range(highest + 1), range(channels)):
            products = [a * b for a, b in zip(feature[i, l, c], feature[j, l, c], strict=True)]
            rows.append(np.sum(products, axis=0) / (2 * l + 1))
        rows += pair.waves
        rows += [] if weights is None else weights[i, j]
        updated[i, j] = [pair.window * g for g in linear(rows, numbers(matrix))]
    return updated


def square(feature: Feature, i: int, c: int, *, input_l: int, output_l: int) -> list[Components]:
    """F_i ⊗ F_i into one l, for every l1 ≤ l2 of natural parity."""
    return [
        couple(feature[i, l1, c], feature[i, l2, c], output_l)
        for l1, l2 in product(range(input_l + 1), repeat=2)
        if l1 <= l2 and triangle(l1, l2, output_l) and (l1 + l2 + output_l) % 2 == 0
    ]


def messages(
    feature: Feature, weights: Weights, pairs: Pairs, i: int, *, output_l: int, sizes: Sequence[int]
) -> list[Components]:
    """Σ_j g_ij Y(r̂_ij) ⊗ F_j into one l, for every l1 of F_j and l2 of Y, and channel.

    ``sizes``: highest l1 and l2, and the number of channels.
    """
    input_l, harmonic_l, channels = sizes
    found = []
    for l1, l2 in product(range(input_l + 1), range(harmonic_l + 1)):
        if not triangle(l1, l2, output_l) or (l1 + l2 + output_l) % 2 == 1:
            continue
        for c in range(channels):
            terms = []
            for (centre, j), pair in pairs.items():
                if centre == i:
                    g = weights[i, j][l2 * channels + c]
                    coupled = couple(feature[j, l1, c], pair.harmonics[l2], output_l)
                    terms.append([g * x for x in coupled])
            found.append(added(terms))
    return found


def _silu_scale() -> float:
    """⟨silu(z)²⟩^(−1/2) over normal z."""

    def integrand(z: float) -> float:
        return float((z / (1 + np.exp(-z))) ** 2 * np.exp(-z * z / 2) / sqrt(2 * np.pi))

    mean, _ = quad(integrand, -12, 12, epsabs=1e-14, epsrel=1e-13, limit=200)
    return float(mean**-0.5)


def mixed(feature: Feature, matrices: Sequence[Tensor], *, channels: int) -> Feature:
    """Channels of every l multiplied with the matrix of that l."""
    found: Feature = {}
    for i, l in sorted({(i, l) for i, l, _ in feature}):
        for c in range(matrices[l].shape[1]):
            found[i, l, c] = []
        for m in range(2 * l + 1):
            rows = [feature[i, l, c][m] for c in range(channels)]
            for c, x in enumerate(linear(rows, numbers(matrices[l]))):
                found[i, l, c].append(x)
    return found


def vertices(k: int, parity: int, first_l: int, second_l: int) -> list[tuple[int, int]]:
    """Every (l, l') of natural parity that meets the irrep k at a vertex."""
    both = product(range(first_l + 1), range(second_l + 1))
    return [(l, m) for l, m in both if triangle(l, m, k) and (-1) ** (l + m) == parity]


def fusion(
    block: SparseFusion, feature: Feature, pairs: Pairs, *, internal_l: int, sizes: Sequence[int]
) -> Feature:
    """Σ_j R_l(r_ij) ((F_i ⊗ F_j)_k ⊗ Y_ij)_J over all l1, l2, k of both parities, and l.

    Vertices into an irrep k and diagrams (k, l) into an l of the output are divided by the root of
    their number; features are mixed before and after. ``sizes``: highest l of features, harmonics
    and output, and the number of channels.
    """
    feature_l, harmonic_l, output_l, channels = sizes
    legs = mixed(feature, list(block.legs.weights), channels=channels)
    inner, outer = map(numbers, block.radial.weights)
    scale = _silu_scale()
    spins = []
    for k, parity in product(range(internal_l + 1), (1, -1)):
        into = vertices(k, parity, feature_l, feature_l)
        out = vertices(k, parity, harmonic_l, output_l)
        if into and out:
            spins.append((k, into, out))
    diagrams = [sum(J == J2 for *_, out in spins for _, J2 in out) for J in range(output_l + 1)]
    terms: dict[tuple[int, int, int], list[Components]] = {}
    for (i, j), pair in pairs.items():
        hidden = [scale * h / (1 + np.exp(-h)) for h in linear(pair.waves, inner)]
        radial = linear(hidden, outer)
        for c, (k, into, out) in product(range(channels), spins):
            entering = added([couple(legs[i, l1, c], legs[j, l2, c], k) for l1, l2 in into])
            for l, J in out:
                factor = radial[l * channels + c] / sqrt(len(into) * diagrams[J])
                value = couple(entering, pair.harmonics[l], J)
                terms.setdefault((i, J, c), []).append([factor * x for x in value])
    summed = {key: added(values) for key, values in terms.items()}
    return mixed(summed, list(block.mix.weights), channels=channels)


def layer_update(
    layer: CormorantLayer,
    feature: Feature,
    weights: Weights | None,
    pairs: Pairs,
    *,
    neighbours: float,
    internal_l: int,
) -> tuple[Feature, Weights]:
    """F_i' = [F_i ⊗ F_i ⊕ F_i ⊕ (Σ_j g_ij Y ⊗ F_j ⊕ fusion)/√n̄] W, and g_ij."""
    input_l, output_l, channels = layer.input_l, layer.output_l, layer.channels
    weights = edge_update(layer.edge, weights, feature, pairs, channels=channels)
    fused = None
    if layer.fusion is not None:
        sizes = (input_l, output_l, output_l, channels)
        fused = fusion(layer.fusion, feature, pairs, internal_l=internal_l, sizes=sizes)
    updated: Feature = {}
    for i, l in product(sorted({i for i, _ in pairs}), range(output_l + 1)):
        by_channel = [square(feature, i, c, input_l=input_l, output_l=l) for c in range(channels)]
        gathered = [part for parts in zip(*by_channel, strict=True) for part in parts]
        gathered += [feature[i, l, c] for c in range(channels) if l <= input_l]
        highest = (input_l, output_l, channels)
        over_neighbours = messages(feature, weights, pairs, i, output_l=l, sizes=highest)
        if fused is not None:
            over_neighbours += [fused[i, l, c] for c in range(channels)]
        gathered += [[x / sqrt(neighbours) for x in part] for part in over_neighbours]
        matrix = numbers(layer.mix.weights[l])
        columns = [linear(rows, matrix) for rows in zip(*gathered, strict=True)]
        for c in range(channels):
            updated[i, l, c] = [column[c] for column in columns]
    return updated, weights


def invariants(feature: Feature, i: int) -> list[Number]:
    """Scalars of an atom, then mean squares of its other parts, by l and channel."""
    return [
        value[0] if l == 0 else np.sum([x * x for x in value], axis=0) / (2 * l + 1)
        for (atom, l, _), value in sorted(feature.items())
        if atom == i
    ]


def node_scalars(
    network: CormorantNetwork, places: np.ndarray, *, elements: Sequence[int], internal_l: int
) -> list[list[Number]]:
    """What the readout sees of every atom, from places [geometry, atom, 3] in Å.

    ``elements``: for each atom, the row of the embedding.
    """
    basis = network.edges
    pairs = pairs_of(
        places, cutoff=basis.cutoff, radial=len(basis.number), order=basis.envelope_order
    )
    embedding = numbers(network.embedding)
    one = places[:, 0, 0] * 0.0 + 1.0
    feature: Feature = {
        (i, 0, c): [one * embedding[element, c]]
        for i, element in enumerate(elements)
        for c in range(embedding.shape[1])
    }
    weights = None
    read = [invariants(feature, i) for i in range(len(elements))]
    for layer in network.layers:
        if not isinstance(layer, CormorantLayer):
            raise TypeError(type(layer))
        feature, weights = layer_update(
            layer,
            feature,
            weights,
            pairs,
            neighbours=float(network.neighbours),
            internal_l=internal_l,
        )
        for i in range(len(elements)):
            read[i] += invariants(feature, i)
    return read

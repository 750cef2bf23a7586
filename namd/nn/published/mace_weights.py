"""Weights of a ``mace-torch`` model, taken over by our MACE.

Both compute the same function of the same weights; what differs is how these are laid out. The
test suite and ``benchmarks/mace_agreement.py`` hold the two implementations against each other
through this function. It is for models with one energy, residual interaction blocks and all irreps
of natural parity.

The signs of Clebsch–Gordan tensors with odd l1 + l2 + l3 are a convention that differs between
versions of e3nn; a coupling tree then has the opposite sign, and so must its weight. The signs are
found by comparing the values of all trees at a point, which also tells whether they are the same
trees at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from namd.errors import ModelError
from namd.nn.published.mace import MaceLayer, MaceNetwork
from namd.nn.published.maps import SILU_SCALE
from namd.nn.published.trees import monomial_indices, symmetric_trees


@dataclass(frozen=True, kw_only=True)
class MaceConventions:
    """What the same weights mean in the model they come from.

    Parameters
    ----------
    silu_scale
        Factor its activations multiply silu with. (e3nn estimates it by sampling, we integrate;
        the ratio goes into the weights that follow.)
    probe
        A point: one number per stacked component l² + m.
    trees
        Its coupling tensors ``U_matrix`` with the point in all legs, [m, tree], by ``"L.ν"``.
    """

    silu_scale: float
    probe: Float[np.ndarray, " component"]
    trees: Mapping[str, Float[np.ndarray, "_ _"]]


def load_mace_weights(
    network: MaceNetwork, weights: Mapping[str, np.ndarray], conventions: MaceConventions
) -> None:
    """Overwrite the weights of a network with one state by those of a ``mace-torch`` model.

    Parameters
    ----------
    network
        Of the same sizes and elements (ascending atomic numbers), with one diabat.
    weights
        Parameters of the model by their names in its state dict.
    conventions
        Its scale of silu and signs of coupling trees.

    Raises
    ------
    ModelError
        If a weight is missing or does not have as many numbers as ours, or the coupling trees are
        not the same.
    """
    ratio = conventions.silu_scale / SILU_SCALE
    with torch.no_grad():
        for name, ours, factor in _pairs(network, ratio):
            ours.copy_(torch.from_numpy(_fitting(weights, name, ours)) * factor)
        for number, layer in enumerate(_layers(network)):
            _load_contraction(layer, weights, conventions, prefix=f"products.{number}")
            _load_residual(layer, weights, f"interactions.{number}.skip_tp.weight")
            _load_linear(layer.convolution.up, weights, f"interactions.{number}.linear_up.weight")
            _load_linear(layer.convolution.mix, weights, f"interactions.{number}.linear.weight")
            _load_linear(layer.update, weights, f"products.{number}.linear.weight")


def _layers(network: MaceNetwork) -> list[MaceLayer]:
    return [layer for layer in network.layers if isinstance(layer, MaceLayer)]


def _pairs(network: MaceNetwork, ratio: float) -> Iterator[tuple[str, Tensor, float]]:
    """Name, our tensor and factor of every weight that is laid out alike."""
    yield "node_embedding.linear.weight", network.embedding, 1.0
    for t, layer in enumerate(_layers(network)):
        for depth, weight in enumerate(layer.convolution.radial.weights):
            name = f"interactions.{t}.conv_tp_weights.layer{depth}.weight"
            yield name, weight, ratio if depth else 1.0
    readout = network.readout.diagonal
    for t, weight in enumerate(readout.linear):
        yield f"readouts.{t}.linear.weight", weight, 1.0
    last = len(network.layers) - 1
    yield f"readouts.{last}.linear_1.weight", readout.inner, 1.0
    yield f"readouts.{last}.linear_2.weight", readout.outer, ratio


def _load_contraction(
    layer: MaceLayer,
    weights: Mapping[str, np.ndarray],
    conventions: MaceConventions,
    *,
    prefix: str,
) -> None:
    contraction = layer.contraction
    for (nu, l), ours in zip(contraction.terms(), contraction.weights, strict=True):
        kind = (
            "weights_max" if nu == contraction.degree else f"weights.{contraction.degree - 1 - nu}"
        )
        name = f"{prefix}.symmetric_contractions.contractions.{l}.{kind}"
        signs = _signs(conventions, degree=nu, l=l)
        ours.copy_(torch.from_numpy(_fitting(weights, name, ours) * signs[:, None]))


def _signs(conventions: MaceConventions, *, degree: int, l: int) -> Float[np.ndarray, " tree"]:
    """+1 or −1 per tree, from the values of both sets of trees at the same point."""
    probe = conventions.probe
    monomials = [prod(probe[list(i)]) for i in monomial_indices(len(probe), degree)]
    ours = symmetric_trees(round(len(probe) ** 0.5) - 1, degree)[l]
    values = np.einsum("mqt,q->mt", ours, np.array(monomials))
    name = f"{l}.{degree}"
    theirs = conventions.trees.get(name)
    if theirs is None or theirs.shape != values.shape:
        raise _misfit(f"coupling trees {name}", 0 if theirs is None else theirs.size, values.size)
    signs = np.where((values * theirs).sum(0) < 0, -1.0, 1.0)
    if not np.allclose(theirs, values * signs, rtol=0, atol=1e-9):
        raise ModelError(
            "these coupling trees are not ours, even up to signs",
            where=f"coupling trees {name}",
            hint="the model was made with reduced Clebsch–Gordan tensors; they are not supported",
        )
    return signs


def _load_linear(linear: torch.nn.Module, weights: Mapping[str, np.ndarray], name: str) -> None:
    """One vector that holds the matrices of all l one after the other."""
    matrices: list[Tensor] = list(linear.parameters())
    flat = torch.from_numpy(_found(weights, name).reshape(-1))
    if len(flat) != sum(m.numel() for m in matrices):
        raise _misfit(name, len(flat), sum(m.numel() for m in matrices))
    pieces = torch.split(flat, [m.numel() for m in matrices])
    for matrix, numbers in zip(matrices, pieces, strict=True):
        matrix.copy_(numbers.view(matrix.shape))


def _load_residual(layer: MaceLayer, weights: Mapping[str, np.ndarray], name: str) -> None:
    """As [input, element, output] for every l; ours is [element, input, output]."""
    matrices = list(layer.residual.weights)
    flat = torch.from_numpy(_found(weights, name).reshape(-1))
    if len(flat) != sum(m.numel() for m in matrices):
        raise _misfit(name, len(flat), sum(m.numel() for m in matrices))
    elements, inputs, outputs = matrices[0].shape
    for matrix, numbers in zip(matrices, flat.view(-1, inputs, elements, outputs), strict=True):
        matrix.copy_(numbers.transpose(0, 1))


def _fitting(weights: Mapping[str, np.ndarray], name: str, ours: Tensor) -> np.ndarray:
    found = _found(weights, name)
    if found.size != ours.numel():
        raise _misfit(name, found.size, ours.numel())
    return found.reshape(tuple(ours.shape))


def _found(weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in weights:
        raise ModelError(
            "the MACE model has no such weight",
            where=name,
            hint="number of layers, degree or kind of blocks differ from ours",
        )
    return np.asarray(weights[name])


def _misfit(name: str, found: int, expected: int) -> ModelError:
    return ModelError(
        f"the MACE model has {found} numbers here, our network {expected}",
        where=name,
        hint="build the network with the sizes and elements of the model",
    )

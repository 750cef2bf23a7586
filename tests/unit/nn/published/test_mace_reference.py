"""Our MACE against energies and forces of ``mace-torch``, with the same weights.

The reference is written by ``benchmarks/mace_agreement.py``, which runs ``mace-torch``; its line is
in ``tests/data/README.md``.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from namd.config.architecture import MaceArchitecture
from namd.errors import ModelError
from namd.nn.factory import build_network, parameter_count
from namd.nn.published.mace import MaceNetwork
from namd.nn.published.mace_weights import MaceConventions, load_mace_weights
from namd.units import ANGSTROM_PER_BOHR

FILE = Path(__file__).parents[3] / "data" / "mace-torch-reference.npz"


@pytest.fixture(scope="module", name="reference")
def read_reference() -> dict[str, Any]:
    with np.load(FILE) as stored:
        return dict(stored)


def network_of(reference: dict[str, Any], **changes: Any) -> MaceNetwork:
    sizes = json.loads(str(reference["sizes"])) | changes
    numbers = torch.from_numpy(reference["atomic_numbers"])
    network = build_network(MaceArchitecture(**sizes), atomic_numbers=numbers, diabats=1).double()
    assert isinstance(network, MaceNetwork)
    network.neighbours.fill_(float(reference["neighbours"]))
    return network


def part(reference: dict[str, Any], name: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(name): v for n, v in reference.items() if n.startswith(name)}


def conventions(reference: dict[str, Any]) -> MaceConventions:
    return MaceConventions(
        silu_scale=float(reference["silu_scale"]),
        probe=reference["probe"],
        trees=part(reference, "trees/"),
    )


def test_energies_and_forces_are_those_of_mace_torch(reference: dict[str, Any]) -> None:
    network = network_of(reference)
    assert parameter_count(network) == int(reference["parameters"])
    load_mace_weights(network, part(reference, "weights/"), conventions(reference))
    places = torch.from_numpy(reference["positions"]).requires_grad_()
    energies = network(places / ANGSTROM_PER_BOHR)[:, 0, 0]
    (gradient,) = torch.autograd.grad(energies.sum(), places)
    np.testing.assert_allclose(energies.detach(), reference["energies"], rtol=0, atol=1e-10)
    np.testing.assert_allclose(-gradient, reference["forces"], rtol=0, atol=1e-10)
    assert np.abs(reference["forces"]).max() > 0.1


def test_signs_of_trees_matter(reference: dict[str, Any]) -> None:
    """Without the comparison of trees the same weights would mean another function."""
    network = network_of(reference)
    weights = part(reference, "weights/")
    load_mace_weights(network, weights, conventions(reference))
    name = "products.0.symmetric_contractions.contractions.1.weights_max"
    ours = network.layers[0].contraction.weights[9]
    raw = torch.from_numpy(weights[name])
    torch.testing.assert_close(ours.abs(), raw.abs())
    assert not torch.equal(ours, raw)


def test_what_does_not_fit_is_refused(reference: dict[str, Any]) -> None:
    weights, ways = part(reference, "weights/"), conventions(reference)
    with pytest.raises(ModelError, match=r"our network"):
        load_mace_weights(network_of(reference, channels=4), weights, ways)
    with pytest.raises(ModelError, match="no such weight"):
        load_mace_weights(network_of(reference, layers=3), weights, ways)
    other = replace(ways, trees=ways.trees | {"1.3": ways.trees["1.3"] + 0.1})
    with pytest.raises(ModelError, match="not ours"):
        load_mace_weights(network_of(reference), weights, other)
    fewer = replace(ways, trees=ways.trees | {"1.3": ways.trees["1.3"][:, :-1]})
    with pytest.raises(ModelError, match=r"coupling trees|our network"):
        load_mace_weights(network_of(reference), weights, fewer)

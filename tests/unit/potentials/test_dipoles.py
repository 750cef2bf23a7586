"""Transition dipoles of diabatic models and networks: limits, sum rule, invariance, absence."""

import numpy as np
import pytest
import torch

from namd.config.architecture import FusionArchitecture
from namd.config.head import DirectHead, QuasiDiabaticHead
from namd.errors import ModelError
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.dipoles import energies_and_dipoles, has_dipoles
from namd.potentials.network import NetworkPotential
from namd.potentials.tully import tully
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

REST = torch.tensor([[0.0, 0, 0], [0, 0, 2.1]], dtype=torch.float64)


def model(*, dipoles: bool = True, mixing: float = 0.02) -> DiabaticPotential:
    rng = np.random.default_rng(8)
    half = rng.normal(size=(3, 3, 2, 3))
    matrix = rng.normal(size=(3, 3, 3))
    return linear_vibronic(
        Molecule.from_numbers(np.array([6, 8])),
        StateSpace.singlets(3),
        reference=REST,
        stiffness=1.0,
        energies=torch.diag(torch.tensor([0.0, 0.15, 0.2], dtype=torch.float64)),
        slopes=torch.as_tensor(mixing * (half + half.transpose(1, 0, 2, 3))),
        dipoles=torch.as_tensor(matrix + matrix.transpose(1, 0, 2)) if dipoles else None,
    )


def places(count: int) -> torch.Tensor:
    return REST + 0.3 * torch.as_tensor(np.random.default_rng(1).normal(size=(count, 2, 3)))


def test_at_the_reference_the_states_are_the_diabats() -> None:
    potential = model()
    energies, dipoles = energies_and_dipoles(potential, REST[None])
    assert dipoles is not None
    assert potential.dipoles is not None
    assert energies[0].tolist() == [0.0, 0.15, 0.2]
    expected = potential.dipoles[[0, 0, 1], [1, 2, 2]]
    torch.testing.assert_close(dipoles[0].abs(), expected.abs())


def test_the_strength_of_all_pairs_is_redistributed_never_lost() -> None:
    """Tr μ² over all states does not depend on the mixing: Σ_i μ_ii² + 2 Σ_{i<j} μ_ij²."""
    potential = model(mixing=0.2)
    positions = places(5)
    _, dipoles = energies_and_dipoles(potential, positions)
    assert dipoles is not None
    assert potential.dipoles is not None
    vectors = potential.surfaces(positions, torch.zeros(5, dtype=torch.int64)).eigenvectors
    assert vectors is not None
    diagonal = torch.einsum("tdi,dex,tei->tix", vectors, potential.dipoles, vectors)
    total = diagonal.square().sum((1, 2)) + 2 * dipoles.square().sum((1, 2))
    torch.testing.assert_close(total, potential.dipoles.square().sum().expand(5))
    assert (dipoles[0] - dipoles[1]).abs().max() > 0.05  # beyond Condon: the mixing differs


def test_a_geometry_does_not_depend_on_the_others() -> None:
    potential, positions = model(), places(7)
    _, many = energies_and_dipoles(potential, positions)
    _, one = energies_and_dipoles(potential, positions[3:4])
    assert many is not None
    assert one is not None
    torch.testing.assert_close(many[3:4].abs(), one.abs(), rtol=1e-13, atol=1e-13)


def test_models_without_dipoles_say_so() -> None:
    assert has_dipoles(model())
    assert not has_dipoles(model(dipoles=False))
    assert not has_dipoles(tully(1))
    energies, dipoles = energies_and_dipoles(tully(1), torch.zeros(2, 1, 3, dtype=torch.float64))
    assert energies.shape == (2, 2)
    assert dipoles is None
    assert model().describe()["digest"] != model(dipoles=False).describe()["digest"]


def network(head: QuasiDiabaticHead | DirectHead) -> DiabaticModel:
    information = ModelInformation(
        name="test",
        molecule=Molecule.from_numbers(np.array([6, 8, 1])),
        states=StateSpace.singlets(3),
        level_of_theory="none",
        architecture=FusionArchitecture(channels=4, l_max=1, radial=3, hidden=6),
        diabats=3 if isinstance(head, DirectHead) else 4,
        head=head,
    )
    model = DiabaticModel(information, seed=3)
    model.network.double()
    model.scale.fill_(0.04)
    model.shift.copy_(0.1 * torch.arange(information.diabats))
    model.network.calibrate(bent(16))
    return model


def bent(count: int) -> torch.Tensor:
    rest = torch.tensor([[0.0, 0, 0], [0, 0, 2.3], [1.8, 0, -0.9]], dtype=torch.float64)
    return rest + 0.2 * torch.as_tensor(np.random.default_rng(2).normal(size=(count, 3, 3)))


@pytest.mark.parametrize("head", [QuasiDiabaticHead(dipoles=True), DirectHead(dipoles=True)])
def test_a_network_serves_what_it_was_trained_for(head: QuasiDiabaticHead | DirectHead) -> None:
    trained, positions = network(head), bent(19)
    potential = NetworkPotential(trained)
    assert has_dipoles(potential)
    energies, dipoles = energies_and_dipoles(potential, positions)
    expected = trained.adiabatic(positions)
    assert dipoles is not None
    assert expected.transition_dipoles is not None
    torch.testing.assert_close(energies, expected.energies, rtol=0, atol=1e-11)
    torch.testing.assert_close(dipoles.abs(), expected.transition_dipoles.abs())
    # One sign for every state: the product of three dipoles round a triangle has none.
    triangle = [m.prod(1) for m in (dipoles, expected.transition_dipoles)]
    torch.testing.assert_close(*triangle)
    assert dipoles.norm(dim=-1).min() > 1e-6
    _, alone = energies_and_dipoles(potential, positions[7:8])
    assert alone is not None
    torch.testing.assert_close(alone[0], dipoles[7], rtol=1e-12, atol=1e-12)


def test_a_network_without_dipoles_says_so() -> None:
    potential = NetworkPotential(network(QuasiDiabaticHead()))
    assert not has_dipoles(potential)
    assert energies_and_dipoles(potential, bent(2))[1] is None
    with pytest.raises(ModelError, match="has no transition dipoles"):
        potential.energies_and_dipoles(bent(2))

"""Forces and couplings against finite differences; the smooth cut-off."""

import pytest
import torch

from namd.config.architecture import (
    CormorantArchitecture,
    FusionArchitecture,
    MaceArchitecture,
)
from namd.nn.base import DiabaticNetwork
from namd.nn.factory import build_network, parameter_count
from namd.nn.model import DiabaticModel
from namd.nn.pairs import envelope
from namd.units import ANGSTROM_PER_BOHR
from tests.unit.nn.conftest import geometries

STEP = 2e-6


def displaced(positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A random direction and the geometries half a step along it, to either side."""
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(positions.shape, generator=generator, dtype=positions.dtype)
    return direction, positions + STEP / 2 * direction, positions - STEP / 2 * direction


def test_forces_are_minus_the_energy_gradient(model: DiabaticModel) -> None:
    positions = geometries(3)
    direction, forward, back = displaced(positions)
    slope = (model.adiabatic(forward).energies - model.adiabatic(back).energies) / STEP
    projected = -(model.adiabatic(positions).forces * direction[:, None]).sum((-1, -2))
    torch.testing.assert_close(projected, slope, rtol=1e-6, atol=1e-8)


def test_couplings_are_the_rotation_of_the_states(model: DiabaticModel) -> None:
    positions = geometries(3)
    direction, forward, back = displaced(positions)
    energies, vectors = torch.linalg.eigh(model.hamiltonian(positions).detach())
    slope = (model.hamiltonian(forward) - model.hamiltonian(back)).detach() / STEP
    rotated = torch.einsum("bki,bkl,blj->bij", vectors, slope, vectors)[:, :3, :3]
    first, second = torch.triu_indices(3, 3, offset=1)
    coupling = model.adiabatic(positions).interstate_coupling
    projected = (coupling * direction[:, None]).sum((-1, -2))
    torch.testing.assert_close(
        projected.abs(), rotated[:, first, second].abs(), rtol=1e-5, atol=1e-8
    )
    assert (energies.diff(dim=1) > 0).all()


def test_envelope_vanishes_with_two_derivatives() -> None:
    x = torch.tensor([1.0 - 1e-3], dtype=torch.float64)
    assert envelope(x).item() < 1e-6
    assert envelope(torch.tensor([0.0, 1.0, 1.5])).tolist() == [1.0, 0.0, 0.0]


SHORT_SIGHTED = {
    "fusion": FusionArchitecture(channels=4, radial=4, hidden=8, cutoff_angstrom=2.0),
    "mace": MaceArchitecture(channels=3, l_max=2, hidden_l=1, cutoff_angstrom=2.0),
    "mofd-sparse": MaceArchitecture(
        channels=3, l_max=1, hidden_l=1, fusion="sparse", cutoff_angstrom=2.0
    ),
    "mofd-dense": MaceArchitecture(
        channels=3, l_max=1, hidden_l=1, fusion="dense", cutoff_angstrom=2.0
    ),
    "cofd": CormorantArchitecture(
        channels=3, l_max=1, layers=2, fusion="sparse", cutoff_angstrom=2.0
    ),
}


@pytest.fixture(params=list(SHORT_SIGHTED))
def carbon_dimer(request: pytest.FixtureRequest) -> DiabaticNetwork:
    return build_network(
        SHORT_SIGHTED[request.param], atomic_numbers=torch.tensor([6, 6]), diabats=2
    ).double()


@pytest.mark.parametrize("offset", [-1e-5, 1e-5])
def test_energy_and_force_are_smooth_where_an_atom_leaves(
    carbon_dimer: DiabaticNetwork, offset: float
) -> None:
    network = carbon_dimer
    cutoff = 2.0 / ANGSTROM_PER_BOHR

    def matrix_and_slope(distance: float) -> tuple[torch.Tensor, torch.Tensor]:
        r = torch.tensor(distance, dtype=torch.float64, requires_grad=True)
        positions = torch.stack([torch.zeros(3).double(), r * torch.tensor([0.0, 0.0, 1.0])])[None]
        value = network(positions)
        (slope,) = torch.autograd.grad(value.sum(), r)
        return value, slope

    at, slope_at = matrix_and_slope(cutoff)
    near, slope_near = matrix_and_slope(cutoff + offset)
    assert (at - near).abs().max() < 1e-12
    assert (slope_at - slope_near).abs() < 1e-6


def test_far_apart_atoms_do_not_see_each_other(carbon_dimer: DiabaticNetwork) -> None:
    network = carbon_dimer
    apart = torch.tensor([[[0.0, 0, 0], [0, 0, 5.0]], [[0.0, 0, 0], [0, 0, 9.0]]]).double()
    values = network(apart)
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=1e-14)
    assert parameter_count(network) > 0

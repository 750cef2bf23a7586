"""A network behind the protocol: the same numbers for one trajectory in any company."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from namd.config.architecture import FusionArchitecture, MaceArchitecture, PerceptronArchitecture
from namd.dynamics.batch import start, total_energy
from namd.dynamics.step import StepOptions, step
from namd.errors import ConfigError, ModelError
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import save_model
from namd.potentials.network import NetworkPotential, load_network_potential
from namd.train.trainer import initialise

ARCHITECTURES = {
    "fusion": FusionArchitecture(channels=4, radial=4, hidden=8, cutoff_angstrom=4.0),
    "perceptron": PerceptronArchitecture(hidden=16, layers=2),
    "mace": MaceArchitecture(channels=4, l_max=2, hidden_l=1, radial_hidden=(8,), hidden=4),
}
STATES, DIABATS = 3, 4


@dataclass(frozen=True)
class Case:
    model: DiabaticModel
    positions: torch.Tensor


@pytest.fixture(scope="module")
def make_case(make_labelled: Callable[..., Any]) -> Callable[..., Case]:
    def make(kind: str, *, double: bool) -> Case:
        dataset = make_labelled(40, states=STATES)
        information = ModelInformation(
            name="test",
            molecule=dataset.molecule,
            states=dataset.states,
            level_of_theory="springs between atoms",
            architecture=ARCHITECTURES[kind],
            diabats=DIABATS,
        )
        model = DiabaticModel(information, seed=2)
        if double:
            model.network.double()
        initialise(model, dataset)
        return Case(model=model, positions=torch.from_numpy(dataset["positions"]))

    return make


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def single(request, make_case) -> Case:
    """In single precision, as networks are used."""
    return make_case(request.param, double=False)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def double(request, make_case) -> Case:
    return make_case(request.param, double=True)


def active(number: int) -> torch.Tensor:
    return torch.arange(number) % STATES


@pytest.mark.parametrize("number", [5, 16, 17, 40])
def test_a_trajectory_does_not_see_its_batch(single: Case, number: int):
    """Bit for bit, for surfaces, forces and couplings, at every place in the batch."""
    potential = NetworkPotential(single.model)
    positions, state = single.positions[:number], active(number)
    second = (state + 1) % STATES
    together = potential.surfaces(positions, state)
    force = potential.force(positions, state)
    coupling = potential.coupling(positions, state, second)
    for k in {0, 3, 4, 15, 16, 39} & set(range(number)):
        row = slice(k, k + 1)
        alone = potential.surfaces(positions[row], state[row])
        for name in ("energies", "force", "eigenvectors", "diabatic_hamiltonian"):
            assert torch.equal(getattr(alone, name)[0], getattr(together, name)[k]), name
        assert torch.equal(potential.force(positions[row], state[row])[0], force[k])
        assert torch.equal(
            potential.coupling(positions[row], state[row], second[row])[0], coupling[k]
        )


def test_energies_forces_and_couplings_are_those_of_the_model(double: Case):
    potential = NetworkPotential(double.model)
    expected = double.model.adiabatic(double.positions)
    rows = torch.arange(len(double.positions))
    state = active(len(rows))
    surfaces = potential.surfaces(double.positions, state)
    torch.testing.assert_close(surfaces.energies, expected.energies, rtol=0, atol=1e-11)
    torch.testing.assert_close(surfaces.force, expected.forces[rows, state], rtol=1e-9, atol=1e-11)
    for k in range(STATES):
        chosen = torch.full_like(state, k)
        found = potential.force(double.positions, chosen)
        torch.testing.assert_close(found, expected.forces[:, k], rtol=1e-9, atol=1e-11)
    for number, (i, j) in enumerate(potential.states.pairs):
        first, second = torch.full_like(state, i), torch.full_like(state, j)
        found = potential.coupling(double.positions, first, second)
        theirs = expected.interstate_coupling[:, number]
        sign = (found * theirs).sum((1, 2)).sign()[:, None, None]
        torch.testing.assert_close(found * sign, theirs, rtol=1e-8, atol=1e-10)
        assert theirs.abs().max() > 1e-5


def test_single_precision_loses_little(single: Case):
    """What of float32 reaches energies and forces: far below the errors of any model."""
    potential = NetworkPotential(single.model)
    surfaces = potential.surfaces(single.positions, active(40))
    twin = DiabaticModel(single.model.information)
    twin.network.double()
    twin.load_state_dict(single.model.state_dict())
    exact = NetworkPotential(twin).surfaces(single.positions, active(40))
    assert surfaces.energies.dtype == surfaces.force.dtype == torch.float64
    assert (surfaces.energies - exact.energies).abs().max() < 1e-6
    assert (surfaces.force - exact.force).abs().max() < 1e-5


def test_far_from_the_origin_nothing_is_lost(single: Case):
    potential = NetworkPotential(single.model)
    here = potential.surfaces(single.positions, active(40))
    there = potential.surfaces(single.positions + 1000.0, active(40))
    assert (here.energies - there.energies).abs().max() < 1e-6
    assert (here.force - there.force).abs().max() < 1e-5


def test_no_trajectories_and_no_gradients(single: Case):
    potential = NetworkPotential(single.model)
    none = potential.coupling(single.positions[:0], active(0), active(0))
    assert none.shape == (0, 6, 3)
    surfaces = potential.surfaces(single.positions[:2], active(2))
    assert not surfaces.energies.requires_grad
    assert not surfaces.force.requires_grad
    assert surfaces.eigenvectors.shape == (2, DIABATS, STATES)


def test_energy_is_conserved_to_second_order_in_the_time_step(make_case):
    """Velocity Verlet on a smooth surface: half the step, a quarter of the error."""
    case = make_case("perceptron", double=True)
    potential = NetworkPotential(case.model)
    masses = torch.from_numpy(case.model.information.molecule.masses)
    generator = torch.Generator().manual_seed(1)
    kick = torch.randn(3, 6, 3, dtype=torch.float64, generator=generator)
    velocities = 5e-4 * kick * (1837.0 / masses[:, None]) ** 0.5

    def error(timestep: float) -> float:
        state = torch.zeros(3, dtype=torch.int64)
        batch = start(potential, case.positions[:3], velocities, state)
        options = StepOptions(timestep=timestep, masses=masses, seed=1, hopping=NeverHop())
        worst = 0.0
        for _ in range(round(320 / timestep)):
            batch = step(batch, potential, options).batch
            drift = total_energy(batch, masses) - batch.initial_total_energy
            worst = max(worst, float(drift.abs().max()))
        return worst

    coarse, fine = error(16.0), error(8.0)
    assert 1e-9 < fine < 1e-3
    assert coarse / fine == pytest.approx(4.0, rel=0.15)


class NeverHop:
    def probabilities(self, change):
        return torch.zeros(change.amplitudes_after.shape, dtype=torch.float64)


def test_a_saved_model_is_the_same_potential(single: Case, tmp_path):
    digest = save_model(single.model, tmp_path)
    potential = load_network_potential(tmp_path)
    own = NetworkPotential(single.model).surfaces(single.positions[:5], active(5))
    loaded = potential.surfaces(single.positions[:5], active(5))
    assert torch.equal(own.energies, loaded.energies)
    assert torch.equal(own.force, loaded.force)
    described = potential.describe()
    assert described["digest"] == digest
    assert described["level_of_theory"] == "springs between atoms"
    assert single.model.information.architecture.kind in described["kind"]
    assert potential.molecule.atomic_numbers.tolist() == [6, 7, 1, 1, 1, 1]


def test_what_cannot_be_loaded_is_refused(tmp_path):
    with pytest.raises(ModelError):
        load_network_potential(tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device cannot be used"):
            load_network_potential(tmp_path, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_gpu_agree(double: Case):
    state = active(40)
    cpu = NetworkPotential(double.model).surfaces(double.positions, state)
    other = double.model.to("cuda")
    gpu = NetworkPotential(other, slice_size=None).surfaces(double.positions.cuda(), state.cuda())
    double.model.to("cpu")
    torch.testing.assert_close(gpu.energies.cpu(), cpu.energies, rtol=0, atol=1e-11)
    torch.testing.assert_close(gpu.force.cpu(), cpu.force, rtol=1e-8, atol=1e-10)

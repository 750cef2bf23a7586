"""What every potential must satisfy; add a new one to ``POTENTIALS``."""

import numpy as np
import pytest
import torch

from namd.config.architecture import FusionArchitecture
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.potentials.network import NetworkPotential
from namd.potentials.protocol import Needs, Potential
from namd.potentials.tully import tully
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace


def vibronic(*, states, diabats, atoms, seed):
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    energies, slopes = 0.02 * noise(diabats, diabats), 0.03 * noise(diabats, diabats, atoms, 3)
    molecule = Molecule(
        atomic_numbers=np.zeros(atoms, dtype=np.int64), masses=np.full(atoms, 1800.0)
    )
    return linear_vibronic(
        molecule,
        StateSpace.singlets(states),
        reference=noise(atoms, 3),
        stiffness=0.1,
        energies=energies + energies.T,
        slopes=slopes + slopes.transpose(0, 1),
    )


def network(architecture):
    """Random weights, in double precision: the tests compare with finite differences."""
    information = ModelInformation(
        name="random",
        molecule=Molecule.from_numbers(np.array([8, 1, 1])),
        states=StateSpace.singlets(3),
        level_of_theory="none",
        architecture=architecture,
        diabats=4,
    )
    model = DiabaticModel(information, seed=4)
    model.network.double()
    model.scale.fill_(0.05)
    model.shift.copy_(0.1 * torch.arange(4))
    generator = torch.Generator().manual_seed(6)
    noise = torch.randn(64, 3, 3, dtype=torch.float64, generator=generator)
    model.network.calibrate(2.0 * torch.eye(3, dtype=torch.float64) + 0.3 * noise)
    return NetworkPotential(model)


POTENTIALS = {
    "tully-1": lambda: tully(1),
    "tully-2": lambda: tully(2),
    "tully-3": lambda: tully(3),
    "one state": lambda: vibronic(states=1, diabats=1, atoms=2, seed=1),
    "three states": lambda: vibronic(states=3, diabats=3, atoms=2, seed=2),
    "two states of four diabats": lambda: vibronic(states=2, diabats=4, atoms=3, seed=3),
    "fusion network": lambda: network(
        FusionArchitecture(channels=4, radial=4, hidden=8, cutoff_angstrom=4.0)
    ),
}
TRAJECTORIES = 9
STEP = 1e-4


@pytest.fixture(params=POTENTIALS, name="potential")
def make_potential(request) -> Potential:
    return POTENTIALS[request.param]()


@pytest.fixture(name="positions")
def make_positions(potential):
    generator = torch.Generator().manual_seed(5)
    shape = (TRAJECTORIES, len(potential.molecule), 3)
    positions = 1.5 * torch.randn(shape, dtype=torch.float64, generator=generator)
    if potential.molecule.atomic_numbers.all():  # atoms, unlike model particles, keep apart
        positions = 0.2 * positions + 2.0 * torch.eye(3, dtype=torch.float64)[: shape[1]]
    return positions


def states_of(potential, value):
    return torch.full((TRAJECTORIES,), value)


def difference(function, positions):
    """Central difference of ``function`` (one value or matrix per row) along every coordinate."""
    columns = []
    for atom in range(positions.shape[1]):
        for axis in range(3):
            shift = torch.zeros_like(positions)
            shift[:, atom, axis] = STEP
            columns.append((function(positions + shift) - function(positions - shift)) / (2 * STEP))
    gradient = torch.stack(columns, -1)
    return gradient.reshape(*gradient.shape[:-1], positions.shape[1], 3)


def test_it_is_a_potential(potential):
    assert isinstance(potential, Potential)
    assert {"name", "kind", "digest"} <= set(potential.describe())


def test_eigenvectors_belong_to_the_hamiltonian(potential, positions):
    s = potential.surfaces(positions, states_of(potential, 0))
    product = s.diabatic_hamiltonian @ s.eigenvectors
    assert (product - s.eigenvectors * s.energies[:, None]).abs().max() < 1e-14
    unit = torch.eye(len(potential.states), dtype=torch.float64)
    assert (s.eigenvectors.mT @ s.eigenvectors - unit).abs().max() < 1e-14
    assert (s.energies.diff(dim=1) >= 0).all()


def test_force_is_the_gradient_of_its_energy(potential, positions):
    for state in range(len(potential.states)):
        chosen = states_of(potential, state)

        def energy(x, chosen=chosen, state=state):
            return potential.surfaces(x, chosen).energies[:, state]

        expected = -difference(energy, positions)
        for force in (
            potential.surfaces(positions, chosen).force,
            potential.force(positions, chosen),
        ):
            torch.testing.assert_close(force, expected, rtol=1e-6, atol=1e-8)


def test_coupling_is_gap_times_derivative_of_the_states(potential, positions):
    """h_ij = (E_j − E_i)⟨i|∇j⟩, with |j⟩ followed by its overlap with the undisplaced states."""
    here = potential.surfaces(positions, states_of(potential, 0))

    def aligned(x):
        vectors = potential.surfaces(x, states_of(potential, 0)).eigenvectors
        sign = (vectors * here.eigenvectors).sum(1, keepdim=True).sign()
        return here.eigenvectors.mT @ (vectors * sign)

    derivative = difference(aligned, positions)
    for i, j in potential.states.pairs:
        gap = here.energies[:, j] - here.energies[:, i]
        expected = gap[:, None, None] * derivative[:, i, j]
        h = potential.coupling(positions, states_of(potential, i), states_of(potential, j))
        sign = (h * expected).sum((1, 2)).sign()[:, None, None]
        torch.testing.assert_close(h * sign, expected, rtol=1e-5, atol=1e-7)
        swapped = potential.coupling(positions, states_of(potential, j), states_of(potential, i))
        torch.testing.assert_close(swapped.abs(), h.abs(), rtol=1e-10, atol=1e-13)


def test_all_forces_and_couplings_are_those_asked_for_one_by_one(potential, positions):
    chosen = torch.arange(TRAJECTORIES) % len(potential.states)
    plain = potential.surfaces(positions, chosen)
    assert plain.couplings is None
    assert plain.forces is None
    s = potential.surfaces(positions, chosen, needs=Needs.COUPLINGS | Needs.FORCES)
    assert torch.equal(s.force, plain.force)
    assert s.couplings.shape == (TRAJECTORIES, len(potential.states.pairs), *positions.shape[1:])
    for k in range(len(potential.states)):
        force = potential.force(positions, states_of(potential, k))
        torch.testing.assert_close(s.forces[:, k], force, rtol=1e-12, atol=1e-14)
    for k, (i, j) in enumerate(potential.states.pairs):
        h = potential.coupling(positions, states_of(potential, i), states_of(potential, j))
        sign = (h * s.couplings[:, k]).sum((1, 2)).sign()[:, None, None]
        torch.testing.assert_close(h * sign, s.couplings[:, k], rtol=1e-12, atol=1e-14)
    # Couplings have the signs of the eigenvectors beside them: h = uᵀ(∇W)v along any direction.
    along = 1e-4 * torch.randn(
        positions.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(8)
    )
    ahead, behind = (
        potential.surfaces(positions + sign * along, chosen).diabatic_hamiltonian
        for sign in (1.0, -1.0)
    )
    change = s.eigenvectors.mT @ ((ahead - behind) / 2) @ s.eigenvectors
    for k, (i, j) in enumerate(potential.states.pairs):
        torch.testing.assert_close(
            (s.couplings[:, k] * along).sum((1, 2)), change[:, i, j], rtol=1e-5, atol=1e-11
        )


def test_each_row_follows_its_own_state_and_geometry(potential, positions):
    """Mixed active states in one batch, bit for bit as one by one."""
    chosen = torch.arange(TRAJECTORIES) % len(potential.states)
    needs = Needs.COUPLINGS | Needs.FORCES
    together = potential.surfaces(positions, chosen, needs=needs)
    force = potential.force(positions, chosen)
    for k in range(TRAJECTORIES):
        row = slice(k, k + 1)
        alone = potential.surfaces(positions[row], chosen[row], needs=needs)
        assert torch.equal(alone.energies[0], together.energies[k])
        assert torch.equal(alone.eigenvectors[0], together.eigenvectors[k])
        assert torch.equal(alone.force[0], together.force[k])
        assert torch.equal(alone.couplings[0], together.couplings[k])
        assert torch.equal(alone.forces[0], together.forces[k])
        assert torch.equal(potential.force(positions[row], chosen[row])[0], force[k])


def test_nan_stays_in_its_row(potential, positions):
    chosen = states_of(potential, 0)
    expected = potential.surfaces(positions, chosen)
    broken = positions.clone()
    broken[4, 0, 0] = float("nan")
    surfaces = potential.surfaces(broken, chosen)
    assert surfaces.energies[4].isnan().any()
    rest = torch.arange(TRAJECTORIES) != 4
    assert torch.equal(surfaces.energies[rest], expected.energies[rest])
    assert torch.equal(surfaces.force[rest], expected.force[rest])

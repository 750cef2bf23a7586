"""What every potential must satisfy; add a new one to ``POTENTIALS``."""

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.lj import LennardJones

from namd.config.architecture import FusionArchitecture
from namd.config.head import DirectHead, QuasiDiabaticHead
from namd.dynamics.batch import start
from namd.errors import DataError
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.potentials.calculator import CalculatorPotential, StateProperties, ase_potential
from namd.potentials.committee import CommitteePotential
from namd.potentials.morse import morse
from namd.potentials.network import NetworkPotential
from namd.potentials.photoisomerization import photoisomerization
from namd.potentials.protocol import Needs, Potential
from namd.potentials.spin_boson import spin_boson
from namd.potentials.tully import tully
from namd.potentials.vibronic import linear_vibronic, vibronic_from_template
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


def network(architecture, seed=4, head=None):
    """Random weights, in double precision: the tests compare with finite differences."""
    head = head or QuasiDiabaticHead()
    diabats = 3 if head.kind == "direct" else 4
    information = ModelInformation(
        name="random",
        molecule=Molecule.from_numbers(np.array([8, 1, 1])),
        states=StateSpace.singlets(3),
        level_of_theory="none",
        architecture=architecture,
        diabats=diabats,
        head=head,
    )
    model = DiabaticModel(information, seed=seed)
    model.network.double()
    model.scale.fill_(0.05)
    model.shift.copy_(0.1 * torch.arange(diabats))
    generator = torch.Generator().manual_seed(6)
    noise = torch.randn(64, 3, 3, dtype=torch.float64, generator=generator)
    model.network.calibrate(2.0 * torch.eye(3, dtype=torch.float64) + 0.3 * noise)
    return NetworkPotential(model)


def program(model):
    """A model as an adapter shows it: one geometry at a time, and no basis."""

    def electronics(positions):
        zero = torch.zeros(1, dtype=torch.int64)
        s = model.surfaces(
            torch.as_tensor(positions)[None], zero, needs=Needs.COUPLINGS | Needs.FORCES
        )
        return StateProperties(
            energies=s.energies[0].numpy(),
            gradients=-s.forces[0].numpy(),
            couplings=s.couplings[0].numpy(),
        )

    return CalculatorPotential(
        molecule=model.molecule, states=model.states, electronics=electronics, name="adapter"
    )


SMALL = FusionArchitecture(channels=4, radial=4, hidden=8, cutoff_angstrom=4.0)
LIBRARY = Path(__file__).parents[2] / "trajectories"
POTENTIALS = {
    "tully-1": lambda: tully(1),
    "tully-2": lambda: tully(2),
    "tully-3": lambda: tully(3),
    "morse-1": lambda: morse(1),
    "morse-2": lambda: morse(2),
    "morse-3": lambda: morse(3),
    "photoisomerization": photoisomerization,
    "spin-boson": lambda: spin_boson(
        bias=0.01,
        coupling=0.02,
        spectrum="debye",
        cutoff=0.1,
        reorganization=0.05,
        oscillators=3,
    ),
    "pyrazine": lambda: vibronic_from_template(LIBRARY / "pyrazine" / "LVC.template"),
    "so2": lambda: vibronic_from_template(LIBRARY / "so2" / "LVC.template"),
    "one state": lambda: vibronic(states=1, diabats=1, atoms=2, seed=1),
    "three states": lambda: vibronic(states=3, diabats=3, atoms=2, seed=2),
    "two states of four diabats": lambda: vibronic(states=2, diabats=4, atoms=3, seed=3),
    "fusion network": lambda: network(SMALL),
    "network with a residual": lambda: network(SMALL, head=QuasiDiabaticHead(residual=True)),
    "network with a direct head": lambda: network(SMALL, head=DirectHead()),
    "network with an odd diabat": lambda: network(SMALL, head=QuasiDiabaticHead(odd_diabats=(1,))),
    "committee of networks": lambda: CommitteePotential(
        tuple(network(SMALL, seed=seed) for seed in (4, 5, 6))
    ),
    "committee of models": lambda: CommitteePotential(
        tuple(vibronic(states=3, diabats=3, atoms=2, seed=seed) for seed in (2, 7))
    ),
    "ASE calculator": lambda: ase_potential(Atoms("Ar2", calculator=LennardJones(sigma=1.0))),
    "program with three states": lambda: program(vibronic(states=3, diabats=3, atoms=2, seed=2)),
}
WITHOUT_BASIS = {
    "network with a residual",
    "network with a direct head",
    "committee of networks",
    "committee of models",
    "program with three states",
}
with_basis = pytest.mark.parametrize(
    "potential", [name for name in POTENTIALS if name not in WITHOUT_BASIS], indirect=True
)
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
    if "morse" in potential.describe()["name"]:  # at its crossings, not on the repulsive wall
        positions = 0.4 * positions + 4.0
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


def test_it_is_a_potential_and_says_which(potential):
    assert isinstance(potential, Potential)
    described = potential.describe()
    assert {"name", "kind", "digest"} <= set(described)
    assert all(isinstance(value, str) for value in described.values())
    assert len(potential.molecule.masses) == len(potential.molecule)
    assert len(potential.states) >= 1


def test_shapes_and_precision(potential, positions):
    atoms, states = len(potential.molecule), len(potential.states)
    zero = states_of(potential, 0)
    s = potential.surfaces(positions, zero)
    expected = {"energies": (TRAJECTORIES, states), "force": (TRAJECTORIES, atoms, 3)}
    if s.eigenvectors is not None:
        diabats = s.diabatic_hamiltonian.shape[-1]
        expected["eigenvectors"] = (TRAJECTORIES, diabats, states)
        expected["diabatic_hamiltonian"] = (TRAJECTORIES, diabats, diabats)
        assert torch.equal(s.diabatic_hamiltonian, s.diabatic_hamiltonian.mT)
    for name, shape in expected.items():
        assert getattr(s, name).shape == shape
        assert getattr(s, name).dtype == torch.float64
    assert (s.energies.diff(dim=1) >= 0).all()
    for vector in (potential.force(positions, zero), potential.coupling(positions, zero, zero)):
        assert (vector.shape, vector.dtype) == ((TRAJECTORIES, atoms, 3), torch.float64)


def test_the_same_question_has_the_same_answer(potential, positions):
    chosen = torch.arange(TRAJECTORIES) % len(potential.states)
    first, second = (potential.surfaces(positions.clone(), chosen) for _ in range(2))
    assert torch.equal(first.energies, second.energies)
    assert torch.equal(first.force, second.force)
    assert same(first.eigenvectors, second.eigenvectors)


def same(first, second):
    """Equal bits, or both missing."""
    return first is second if first is None or second is None else torch.equal(first, second)


def test_no_row_is_a_valid_batch(potential, positions):
    nobody = torch.zeros(0, dtype=torch.int64)
    assert potential.coupling(positions[:0], nobody, nobody).shape == positions[:0].shape
    assert potential.force(positions[:0], nobody).shape == positions[:0].shape


def test_trajectories_that_do_not_fit_are_refused(potential, positions):
    zero = states_of(potential, 0)
    more = torch.cat((positions, positions[:, :1]), 1)
    far = states_of(potential, len(potential.states))
    broken = positions.clone()
    broken[2, 0, 0] = float("nan")
    for x, state, message in (
        (more, zero, "expected"),
        (positions, far, "active state"),
        (broken, zero, "not finite"),
    ):
        with pytest.raises(DataError, match=message):
            start(potential, x, torch.zeros_like(x), state)


@pytest.mark.parametrize("name", POTENTIALS)
def test_a_quasi_diabatic_basis_is_there_where_it_is_expected(name):
    potential = POTENTIALS[name]()
    x = torch.zeros(TRAJECTORIES, len(potential.molecule), 3, dtype=torch.float64)
    x[:, :, 0] = 2.0 * torch.arange(x.shape[1], dtype=torch.float64)
    s = potential.surfaces(x, states_of(potential, 0))
    for part in (s.eigenvectors, s.diabatic_hamiltonian):
        assert (part is None) == (name in WITHOUT_BASIS)


@with_basis
def test_eigenvectors_belong_to_the_hamiltonian(potential, positions):
    s = potential.surfaces(positions, states_of(potential, 0))
    product = s.diabatic_hamiltonian @ s.eigenvectors
    assert (product - s.eigenvectors * s.energies[:, None]).abs().max() < 1e-14
    unit = torch.eye(len(potential.states), dtype=torch.float64)
    assert (s.eigenvectors.mT @ s.eigenvectors - unit).abs().max() < 1e-14


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


@with_basis
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


@with_basis
def test_coupling_is_the_derivative_of_the_hamiltonian(potential, positions):
    """h_ij = u_iᵀ(∇W)u_j, with ∇W by finite differences of the diabatic matrix."""
    here = potential.surfaces(positions, states_of(potential, 0))

    def matrix(x):
        return potential.surfaces(x, states_of(potential, 0)).diabatic_hamiltonian

    slope = difference(matrix, positions)
    u = here.eigenvectors
    expected = torch.einsum("tki,tklax,tlj->tijax", u, slope, u)
    for i in range(len(potential.states)):
        for j in range(len(potential.states)):
            h = potential.coupling(positions, states_of(potential, i), states_of(potential, j))
            torch.testing.assert_close(h, expected[:, i, j], rtol=1e-6, atol=1e-8)


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


@with_basis
def test_all_couplings_have_the_signs_of_the_eigenvectors(potential, positions):
    """h_ij = u_iᵀ(∇W)u_j along any direction."""
    s = potential.surfaces(positions, states_of(potential, 0), needs=Needs.COUPLINGS)
    chosen = states_of(potential, 0)
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
        if together.eigenvectors is not None:
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

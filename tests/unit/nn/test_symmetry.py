"""Symmetries of every network, in float64."""

import pytest
import torch
from scipy.spatial.transform import Rotation

from namd.nn.adiabatic import adiabatic, matrix_gradient
from namd.nn.model import DiabaticModel
from namd.nn.readout import QuasiDiabaticReadout, bounded
from tests.unit.nn.conftest import geometries, make_model

TOLERANCE = 1e-10


def rotation(seed: int) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(random_state=seed).as_matrix())


@pytest.mark.parametrize("seed", range(3))
def test_rotation_turns_vectors_and_leaves_energies(model: DiabaticModel, seed: int) -> None:
    positions, turn = geometries(3), rotation(seed)
    before, after = model.adiabatic(positions), model.adiabatic(positions @ turn.T)
    torch.testing.assert_close(after.energies, before.energies, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(after.forces, before.forces @ turn.T, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(
        _outer(after.interstate_coupling),
        _outer(before.interstate_coupling @ turn.T),
        rtol=0,
        atol=TOLERANCE,
    )


def _outer(h: torch.Tensor) -> torch.Tensor:
    """h hᵀ per pair: free of the states' signs."""
    flat = h.flatten(2)
    return flat[..., :, None] * flat[..., None, :]


def test_translation(model: DiabaticModel) -> None:
    positions = geometries(3)
    here, there = model.adiabatic(positions), model.adiabatic(positions + 7.0)
    torch.testing.assert_close(here.energies, there.energies, rtol=0, atol=TOLERANCE)
    assert here.forces.sum(2).abs().max() < TOLERANCE
    assert here.interstate_coupling.sum(2).abs().max() < TOLERANCE


def test_inversion(model: DiabaticModel) -> None:
    positions = geometries(3)
    here, there = model.adiabatic(positions), model.adiabatic(-positions)
    torch.testing.assert_close(here.energies, there.energies, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(here.forces, -there.forces, rtol=0, atol=TOLERANCE)


def test_features_are_invariants_that_tell_geometries_apart(model: DiabaticModel) -> None:
    positions, turn = geometries(3), rotation(0)
    features = model.features(positions)
    assert features is not None
    for moved in (positions @ turn.T, positions + 7.0, -positions):
        torch.testing.assert_close(model.features(moved), features, rtol=0, atol=TOLERANCE)
    assert (features[0] - features[1]).abs().max() > 1e-6


@pytest.mark.parametrize("kind", ["fusion-unlabelled", "mofd-dense", "cofd"])
def test_permutation_of_equal_atoms_without_labels(kind: str) -> None:
    model = make_model(kind)
    positions = geometries(3)
    order = torch.tensor([0, 1, 5, 3, 4, 2])
    here, there = model.adiabatic(positions), model.adiabatic(positions[:, order])
    torch.testing.assert_close(here.energies, there.energies, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(here.forces[:, :, order], there.forces, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["fusion", "mace", "mofd-sparse", "cormorant"])
def test_labels_mark_only_the_off_diagonal_by_default(kind: str) -> None:
    model = make_model(kind)
    positions = geometries(3)
    order = torch.tensor([0, 1, 5, 3, 4, 2])
    here, there = model.hamiltonian(positions), model.hamiltonian(positions[:, order])
    torch.testing.assert_close(
        here.diagonal(dim1=1, dim2=2), there.diagonal(dim1=1, dim2=2), rtol=0, atol=TOLERANCE
    )
    assert (here - there).abs().max() > 1e-6


def planar() -> torch.Tensor:
    """A planar C2v geometry: symmetric under exchange of the hydrogens left and right."""
    return geometries(1, seed=0)[:1] * 0 + torch.tensor(
        [[0, 0, 0], [0, 0, 2.4], [1.7, 0, -1.1], [-1.7, 0, -1.1], [1.6, 0, 3.4], [-1.6, 0, 3.4]],
        dtype=torch.float64,
    )


def antisymmetric_part(kind: str) -> tuple[float, float]:
    """Norms of the parts of ∇W₀₁ that are odd under the mirror x → −x, and of all of it."""
    model = make_model(kind)
    positions = planar().requires_grad_()
    gradient = matrix_gradient(model.network(positions), positions)[0, 0, 1]
    mirrored = gradient[[0, 1, 3, 2, 5, 4]] * torch.tensor([-1.0, 1.0, 1.0])
    return float((gradient - mirrored).norm() / 2), float(gradient.norm())


@pytest.mark.parametrize("kind", ["fusion-unlabelled", "mofd-dense", "cofd"])
def test_symmetry_trap_without_labels_the_odd_coupling_vanishes(kind: str) -> None:
    odd, whole = antisymmetric_part(kind)
    assert odd < 1e-12 * max(whole, 1.0)


@pytest.mark.parametrize("kind", ["fusion", "mace", "cormorant"])
def test_site_labels_open_the_symmetry_trap(kind: str) -> None:
    odd, whole = antisymmetric_part(kind)
    assert odd > 1e-2 * whole


def test_gauge_changes_only_signs_of_couplings(model: DiabaticModel) -> None:
    positions = geometries(2).requires_grad_()
    matrix = model.network(positions)
    gradient = matrix_gradient(matrix, positions)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    flip = signs[:, None] * signs[None, :]
    one = adiabatic(matrix.detach(), gradient, states=3)
    other = adiabatic(matrix.detach() * flip, gradient * flip[..., None, None], states=3)
    torch.testing.assert_close(one.energies, other.energies, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(one.forces, other.forces, rtol=0, atol=TOLERANCE)
    torch.testing.assert_close(
        one.interstate_coupling.abs(), other.interstate_coupling.abs(), rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("bound", ["tanh", "arctan"])
def test_off_diagonal_elements_are_bounded_and_untouched_when_small(bound: str) -> None:
    limit, states = 0.5, 3
    readout = QuasiDiabaticReadout(
        inputs=4,
        hidden=8,
        diabats=states,
        atoms=2,
        labels="none",
        offdiagonal_limit=limit,
        offdiagonal_bound=bound,
    )
    huge = 1e6 * torch.ones(1, 2, 4)
    free, _ = readout.offdiagonal(huge)
    assert free.abs().max() > 10 * limit
    matrix, _ = readout(huge)
    off = matrix - torch.diag_embed(matrix.diagonal(dim1=1, dim2=2))
    assert off.abs().max() <= limit
    small = 1e-3 * torch.ones(1, 2, 4)
    readout.offdiagonal.outer.data *= 1e-3
    first, second = torch.triu_indices(states, states, offset=1)
    found, (expected, _) = readout(small)[0], readout.offdiagonal(small)
    torch.testing.assert_close(found[:, first, second], expected)


def test_only_arctan_leads_back_from_beyond_the_bound() -> None:
    """In single precision, where an untrained network easily gets to: thirty times the bound."""
    slopes = {}
    for bound in ("tanh", "arctan"):
        element = torch.tensor([0.0, 15.0], requires_grad=True)
        value = bounded(element, limit=0.5, bound=bound)
        slopes[bound] = torch.autograd.grad(value.sum(), element)[0].tolist()
        assert 0.45 < float(value[1].detach()) <= 0.5
    assert slopes["tanh"] == [1.0, 0.0]
    assert slopes["arctan"] == pytest.approx([1.0, 1 / (1 + (15 * torch.pi) ** 2)], rel=1e-5)

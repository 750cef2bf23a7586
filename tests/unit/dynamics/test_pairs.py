"""Pairs of states as two-state problems, spheres, and states that are followed."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.dynamics.electronic.pairs import follow_states, pair_batch, turn_spheres

SEEDS = st.integers(0, 2**32 - 1)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def unitary(seed, rows):
    raw = torch.randn(rows, 2, 2, dtype=torch.complex128, generator=generator(seed))
    return torch.linalg.qr(raw).Q


def bloch(c):
    coherence = c[:, 0].conj() * c[:, 1]
    height = c[:, 0].abs().square() - c[:, 1].abs().square()
    return torch.stack((2 * coherence.real, 2 * coherence.imag, height), 1)


@given(seed=SEEDS)
def test_spheres_turn_as_amplitudes_do(seed):
    c = torch.randn(20, 2, dtype=torch.complex128, generator=generator(seed + 1))
    c = c / c.abs().square().sum(1, keepdim=True).sqrt()
    u = unitary(seed, 20)
    expected = bloch((u @ c[:, :, None]).squeeze(2))
    torch.testing.assert_close(turn_spheres(bloch(c), u), expected, rtol=0, atol=1e-13)


def test_spheres_obey_their_equation_of_motion(crowd, begin):
    """Ṡ = (0, 2T, E_a − E_b) × S, from the propagator of one very short step."""
    options = replace(crowd.options, electronic=NacVectors(substeps=1))
    batch, dt = begin(options), 1e-4
    pairs = torch.tensor([[[2, 0]]]).expand(len(batch), 1, 2)
    two = pair_batch(batch, pairs)
    s = torch.nn.functional.normalize(
        torch.randn(len(batch), 3, dtype=torch.float64, generator=generator(1)), dim=1
    )
    made = options.electronic.propagate(two, two, timestep=dt)
    slope = (turn_spheres(s, made.propagator) - s) / dt
    gap = batch.energies[:, 2] - batch.energies[:, 0]
    t = (batch.velocities * batch.couplings[:, 1]).sum((1, 2)) / -gap
    axis = torch.stack((torch.zeros_like(t), 2 * t, gap), 1)
    largest = axis.square().sum(1).max()
    expected = torch.linalg.cross(axis, s)
    torch.testing.assert_close(slope, expected, rtol=0, atol=float(largest * dt))
    assert expected.abs().max() > 100 * largest * dt


def test_a_pair_has_its_own_energies_columns_couplings_and_forces(crowd, begin):
    generate = generator(3)
    batch = begin(crowd.options)
    traj, states = len(batch), 5
    names = list(combinations(range(states), 2))

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generate)

    batch = replace(
        batch,
        energies=noise(traj, states),
        amplitudes=noise(traj, states).to(torch.complex128),
        eigenvectors=noise(traj, 3, states),
        couplings=noise(traj, len(names), 2, 3),
        forces=noise(traj, states, 2, 3),
    )
    chosen = torch.tensor([[[3, 1], [0, 4], [2, 3]]]).expand(traj, -1, -1)
    found = pair_batch(batch, chosen)
    assert len(found) == 3 * traj
    for place, (a, b) in enumerate([(3, 1), (0, 4), (2, 3)]):
        rows = slice(place, None, 3)
        assert torch.equal(found.positions[rows], batch.positions)
        assert torch.equal(found.energies[rows], batch.energies[:, [a, b]])
        assert torch.equal(found.eigenvectors[rows], batch.eigenvectors[:, :, [a, b]])
        assert torch.equal(found.forces[rows], batch.forces[:, [a, b]])
        pair = names.index((min(a, b), max(a, b)))
        assert torch.equal(found.couplings[rows], batch.couplings[:, [pair]])


def test_without_basis_and_couplings_a_pair_has_none(crowd):
    batch = replace(
        crowd.batch,
        eigenvectors=crowd.batch.eigenvectors[:, :0],
        diabatic_hamiltonian=crowd.batch.diabatic_hamiltonian[:, :0, :0],
    )
    found = pair_batch(batch, torch.tensor([[[0, 2]]]).expand(len(batch), 1, 2))
    assert found.eigenvectors.shape[1:] == (0, 2)
    assert found.couplings.shape[1] == found.forces.shape[1] == 0


@given(seed=SEEDS, states=st.integers(2, 6), small=st.floats(0, 0.1))
def test_states_that_change_places_are_followed(seed, states, small):
    generate = generator(seed)
    order = torch.stack([torch.randperm(states, generator=generate) for _ in range(10)])
    signs = torch.randint(0, 2, (10, 1, states), generator=generate) * 2.0 - 1.0
    skew = small * torch.randn(10, states, states, dtype=torch.float64, generator=generate)
    turn = torch.linalg.matrix_exp(skew - skew.mT)
    swapped = torch.nn.functional.one_hot(order).to(turn) * signs
    assert torch.equal(follow_states(swapped), order)
    if small * states < 0.05:
        assert torch.equal(follow_states(turn @ swapped), order)


def test_states_of_equal_overlap_are_their_own_continuation():
    half = torch.full((3, 2, 2), 0.5**0.5, dtype=torch.float64)
    half[:, 1, 0] *= -1
    assert torch.equal(follow_states(half), torch.arange(2).expand(3, 2))


@pytest.mark.parametrize("states", [2, 3])
def test_two_states_are_one_pair(crowd, begin, evolve, states):
    """With two states the pair's propagator is that of the amplitudes, in either order."""
    options = crowd.options
    before = begin(options)
    after = evolve(before, crowd.potential, options, steps=1)[0]
    cut = [
        replace(
            b,
            energies=b.energies[:, :states],
            amplitudes=b.amplitudes[:, :states],
            eigenvectors=b.eigenvectors[:, :, :states],
        )
        for b in (before, after)
    ]
    whole = LocalDiabatization().propagate(*cut, timestep=10.0).propagator[:, :2, :2]
    pairs = torch.tensor([[[0, 1], [1, 0]]]).expand(len(before), 2, 2)
    two = [pair_batch(b, pairs) for b in (before, after)]
    found = LocalDiabatization().propagate(*two, timestep=10.0).propagator
    same = (found[::2].abs() - whole.abs()).abs().amax((1, 2)) < 1e-12
    assert bool(same.all()) is (states == 2)  # a third state takes its share
    turned = found[1::2].flip(1).flip(2)
    torch.testing.assert_close(turned.abs(), found[::2].abs(), rtol=0, atol=1e-12)

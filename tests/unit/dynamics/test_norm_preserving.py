"""Norm-preserving interpolation: trivial crossings, limits, the gauge of its ends."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.norm_preserving import (
    NormPreserving,
    interpolated_coupling,
    proper_rotation,
)


def rotation(states, *, angle, seed):
    """A random rotation of about ``angle``, and its generator."""
    noise = np.random.default_rng(seed).normal(size=(states, states))
    generator = angle * (noise - noise.T) / np.linalg.norm(noise - noise.T)
    return torch.tensor(expm(generator))[None], generator


def test_two_states_turn_at_a_constant_rate():
    """T is the angle of the rotation in every substep, whatever its size below a right angle."""
    for angle in (1e-6, 0.3, -1.2):
        s = torch.tensor(expm(np.array([[0, angle], [-angle, 0]])))[None]
        coupling = interpolated_coupling(s, substeps=5)
        expected = torch.full((1, 5), angle, dtype=torch.float64)
        torch.testing.assert_close(coupling[..., 0, 1], expected, rtol=1e-12, atol=1e-15)
        assert torch.equal(coupling, -coupling.mT)


@pytest.mark.parametrize("states", [3, 4])
def test_many_states_tend_to_the_logarithm_of_the_overlap(states):
    errors = []
    for angle in (0.2, 0.1):
        s, generator = rotation(states, angle=angle, seed=3)
        mean = interpolated_coupling(s, substeps=25).mean(1)[0].numpy()
        errors.append(np.abs(mean - generator).max() / angle)
    assert errors[1] < errors[0] / 1.9
    assert errors[1] < 0.01


@given(
    states=st.integers(2, 4),
    seed=st.integers(0, 2**16),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=4, max_size=4),
)
def test_the_rotation_is_proper_and_undone_by_its_signs(states, seed, signs):
    s, _ = rotation(states, angle=0.8, seed=seed)
    turned = s * torch.tensor(signs[:states], dtype=torch.float64)
    found, back = proper_rotation(turned)
    assert torch.linalg.det(found).item() == pytest.approx(1.0)
    torch.testing.assert_close(found * back[:, None], turned, rtol=0, atol=1e-12)


def trivial_crossing(crowd, begin, swap):
    """The crowd with energies that hardly differ, and states that change places in one step."""
    options = replace(crowd.options, electronic=NormPreserving())
    before = begin(options)
    energies = 1e-6 * torch.arange(3, dtype=torch.float64).expand(64, 3)
    before = replace(before, energies=energies)
    order = torch.tensor(swap)
    return before, replace(before, eigenvectors=before.eigenvectors[:, :, order])


@pytest.mark.parametrize("swap", [(1, 0, 2), (0, 2, 1)])
def test_a_trivial_crossing_is_passed(crowd, begin, swap):
    """Two of three states change places: the electrons stay in theirs, which has a new number."""
    before, after = trivial_crossing(crowd, begin, swap)
    expected = torch.eye(3, dtype=torch.float64)[list(swap)].expand(64, 3, 3)
    for method in (NormPreserving(), LocalDiabatization()):
        r = method.propagate(before, after, timestep=20.0).propagator
        torch.testing.assert_close(r.abs(), expected, rtol=0, atol=1e-4)


def test_it_meets_local_diabatisation_as_the_step_shrinks(amplitudes_after):
    differences = []
    for dt in (4.0, 2.0, 1.0):
        npi = amplitudes_after(NormPreserving(), dt)
        local = amplitudes_after(LocalDiabatization(), dt)
        differences.append((npi - local).abs().amax(1).median().item())
    assert differences[0] > 1.8 * differences[1] > 3.2 * differences[2]
    assert differences[2] < 1e-3

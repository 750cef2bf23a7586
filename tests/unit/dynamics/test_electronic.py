"""Local diabatisation against matrix exponentials from SciPy, its norm and its signs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm, polar

from namd.dynamics.electronic.local_diabatization import LocalDiabatization
from namd.dynamics.electronic.orthogonal import nearest_orthogonal
from namd.errors import ConfigError


def problem(states, *, diabats=None, batch=5, spread=0.05, seed=0):
    """Energies and eigenvectors before and after a step, of random diabatic matrices."""
    diabats = diabats or states
    generator = torch.Generator().manual_seed(seed)

    def noise():
        return torch.randn(batch, diabats, diabats, dtype=torch.float64, generator=generator)

    first = spread * noise() - 2.0 * torch.eye(diabats, dtype=torch.float64)
    second = first + 0.3 * spread * noise()
    solved = [torch.linalg.eigh(w + w.mT) for w in (first, second)]
    (e0, u0), (e1, u1) = ((e[:, :states], u[:, :, :states]) for e, u in solved)
    return e0, e1, u0.mT @ u1


def reference(e0, e1, overlap, *, timestep, substeps):
    """The formula read literally, one trajectory, one substep at a time."""
    s = polar(overlap)[0]
    start, end = np.diag(e0), s @ np.diag(e1) @ s.T
    product = np.eye(len(e0))
    for k in range(1, substeps + 1):
        product = expm(-1j * (start + k / substeps * (end - start)) * timestep / substeps) @ product
    return s.T @ product


@pytest.mark.parametrize(("states", "diabats"), [(1, 1), (2, 2), (2, 5), (3, 3), (3, 4), (5, 5)])
@pytest.mark.parametrize("substeps", [1, 2, 25])
def test_propagator_is_the_product_of_exponentials(states, diabats, substeps):
    e0, e1, overlap = problem(states, diabats=diabats)
    found = LocalDiabatization(substeps).propagator(e0, e1, overlap=overlap, timestep=20.0)
    for k in range(len(e0)):
        expected = reference(
            e0[k].numpy(), e1[k].numpy(), overlap[k].numpy(), timestep=20.0, substeps=substeps
        )
        np.testing.assert_allclose(found[k].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("states", [1, 2, 3, 4])
def test_norm_survives_ten_thousand_steps(states):
    e0, e1, overlap = problem(states, batch=3)
    r = LocalDiabatization().propagator(e0, e1, overlap=overlap, timestep=20.0)
    amplitudes = torch.zeros(3, states, 1, dtype=torch.complex128)
    amplitudes[:, 0] = 1.0
    for _ in range(10_000):
        amplitudes = r @ amplitudes
    assert (amplitudes.abs().square().sum(1) - 1).abs().max() < 1e-11


@pytest.mark.parametrize("spread", [0.0, 1e-12, 0.05, 1.0, 5.0])
@pytest.mark.parametrize("states", [2, 3])
def test_unitary_from_degeneracy_to_a_hundred_electronvolt(states, spread):
    e0, e1, overlap = problem(states, spread=spread)
    r = LocalDiabatization().propagator(e0, e1, overlap=overlap, timestep=20.0)
    unit = torch.eye(states, dtype=torch.complex128)
    assert (r.mH @ r - unit).abs().max() < 1e-13


def test_trivial_crossing_swaps_the_amplitudes():
    """Two uncoupled states cross: the electrons stay in theirs, which has a new number."""
    energies = torch.tensor([[0.0, 1e-4]], dtype=torch.float64)
    swap = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64)
    r = LocalDiabatization().propagator(energies, energies, overlap=swap, timestep=20.0)
    torch.testing.assert_close(r.abs(), swap, atol=1e-15, rtol=0)


@settings(max_examples=25)
@given(
    states=st.sampled_from([2, 3]),
    before=st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3),
    after=st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3),
)
def test_signs_of_eigenvectors_only_change_signs_of_the_propagator(states, before, after):
    e0, e1, overlap = problem(states)
    left = torch.tensor(before[:states], dtype=torch.float64)
    right = torch.tensor(after[:states], dtype=torch.float64)
    method = LocalDiabatization()
    plain = method.propagator(e0, e1, overlap=overlap, timestep=20.0)
    flipped = method.propagator(e0, e1, overlap=left[:, None] * overlap * right, timestep=20.0)
    torch.testing.assert_close(flipped, right[:, None] * plain * left, atol=1e-14, rtol=0)


@pytest.mark.parametrize("states", [1, 2, 3, 4])
def test_orthonormalisation_is_the_polar_factor(states):
    *_, overlap = problem(states, diabats=states + 2)
    found = nearest_orthogonal(overlap)
    for k in range(len(overlap)):
        np.testing.assert_allclose(found[k].numpy(), polar(overlap[k].numpy())[0], atol=1e-10)


def test_a_state_that_leaves_the_pair_is_completed_to_a_rotation():
    lost = torch.tensor([[[0.8, 0.6], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], dtype=torch.float64)
    found = nearest_orthogonal(lost)
    unit = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    torch.testing.assert_close(found.mT @ found, unit, atol=1e-15, rtol=0)
    torch.testing.assert_close(found[0, 0], lost[0, 0], atol=1e-15, rtol=0)


def test_no_substeps_is_refused():
    with pytest.raises(ConfigError, match="at least one substep"):
        LocalDiabatization(substeps=0)

"""Diabatic populations, and trajectories that start in a diabatic state."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.batch import start
from namd.dynamics.diabatic import diabatic_populations
from namd.errors import ConfigError, DataError
from namd.molecule import Molecule
from namd.potentials.morse import morse
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace


def random_batch(crowd, seed=3):
    """Trajectories of the crowd with amplitudes that are not those of the active state."""
    generator = torch.Generator().manual_seed(seed)
    c = torch.randn(len(crowd.batch), 3, dtype=torch.complex128, generator=generator)
    return replace(crowd.batch, amplitudes=c / c.norm(dim=1, keepdim=True))


def test_the_density_matrix_is_that_of_the_formula(crowd):
    """Written out: U ρ Uᵀ where ρ_ij = c_i c_j* beside the diagonal and δ_ia on it."""
    batch = random_batch(crowd)
    c, u = batch.amplitudes.numpy(), batch.eigenvectors.numpy()
    density = c[:, :, None] * c[:, None].conj()
    own = np.arange(3)
    density[:, own, own] = np.eye(3)[batch.active_state.numpy()]
    expected = np.einsum("tdi,tij,tdj->td", u, density, u).real
    np.testing.assert_allclose(diabatic_populations(batch).numpy(), expected, atol=1e-14)


@given(signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3))
def test_populations_add_up_to_one_and_do_not_know_signs(crowd, signs):
    batch = random_batch(crowd)
    found = diabatic_populations(batch)
    torch.testing.assert_close(found.sum(1), torch.ones(len(batch), dtype=torch.float64))
    flip = torch.tensor(signs, dtype=torch.float64)
    flipped = replace(
        batch, eigenvectors=batch.eigenvectors * flip, amplitudes=batch.amplitudes * flip
    )
    torch.testing.assert_close(diabatic_populations(flipped), found, rtol=0, atol=1e-14)


def test_active_states_drawn_with_the_squares_give_the_wave_function(crowd):
    """Σ_a |c_a|² P_d(a) = |(Uc)_d|²: no bias against the electrons' own populations."""
    batch = random_batch(crowd)
    mean = sum(
        batch.amplitudes[:, a].abs().square()[:, None]
        * diabatic_populations(replace(batch, active_state=torch.full((len(batch),), a)))
        for a in range(3)
    )
    own = (batch.eigenvectors.to(torch.complex128) @ batch.amplitudes[:, :, None]).squeeze(2)
    torch.testing.assert_close(mean, own.abs().square())


def on_morse(x, active, diabat=None):
    positions = torch.zeros(len(x), 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = torch.tensor(x)
    diabats = None if diabat is None else torch.tensor(diabat)
    return start(
        morse(2),
        positions,
        torch.zeros_like(positions),
        torch.tensor(active),
        diabatic_state=diabats,
    )


def test_a_start_in_a_diabat_is_that_diabat_in_the_gauge_of_the_batch():
    """At the crossing of the first and third curve, where the first lies in two states."""
    batch = on_morse([3.34, 3.34, 3.0], [1, 2, 0], [0, 2, 1])
    back = torch.einsum("tdi,ti->td", batch.eigenvectors, batch.amplitudes.real)
    torch.testing.assert_close(back, torch.eye(3, dtype=torch.float64)[[0, 2, 1]])
    assert (batch.amplitudes.imag == 0).all()
    assert batch.amplitudes[0].abs().square().max() < 0.7


def test_without_a_diabat_the_start_is_the_active_state():
    assert on_morse([3.34], [1]).amplitudes.tolist() == [[0, 1, 0]]


def test_a_diabat_that_does_not_exist_is_refused():
    with pytest.raises(DataError, match="between 0 and 2"):
        on_morse([3.0, 3.0], [0, 0], [0, 3])


def test_with_fewer_states_than_diabats_no_diabat_is_whole():
    two_of_three = linear_vibronic(
        Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.ones(1)),
        StateSpace.singlets(2),
        reference=torch.zeros(1, 3, dtype=torch.float64),
        stiffness=1.0,
        energies=torch.diag(torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64)),
        slopes=torch.zeros(3, 3, 1, 3, dtype=torch.float64),
    )
    still = torch.zeros(1, 1, 3, dtype=torch.float64)
    first = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(ConfigError, match="as many as the diabatic"):
        start(two_of_three, still, still, first, diabatic_state=first)

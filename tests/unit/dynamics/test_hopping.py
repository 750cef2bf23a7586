"""Hop probabilities against the formula read literally, and the draw of the target state."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.hopping.finite_step import FiniteStep
from namd.dynamics.hopping.protocol import ElectronicChange
from namd.dynamics.hopping.selection import select_state


def random_change(states, *, batch=40, seed=0, strength=0.3):
    generator = np.random.default_rng(seed)
    amplitudes = generator.normal(size=(batch, states, 2)) @ np.array([1, 1j])
    amplitudes /= np.linalg.norm(amplitudes, axis=1, keepdims=True)
    noise = generator.normal(size=(batch, states, states, 2)) @ np.array([1, 1j])
    unitary = np.linalg.qr(np.eye(states) + strength * noise)[0]
    return ElectronicChange(
        amplitudes_before=torch.tensor(amplitudes),
        amplitudes_after=torch.tensor(np.einsum("tij,tj->ti", unitary, amplitudes)),
        propagator=torch.tensor(unitary),
        active_state=torch.tensor(generator.integers(states, size=batch)),
    )


def literal(c0, c1, r, a):
    p = np.zeros(len(c0))
    if abs(c1[a]) ** 2 >= abs(c0[a]) ** 2:
        return p
    outflow = abs(c0[a]) ** 2 - (c1[a] * np.conj(r[a, a]) * np.conj(c0[a])).real
    for b in range(len(c0)):
        if b != a:
            flow = (c1[b] * np.conj(r[b, a]) * np.conj(c0[a])).real
            p[b] = max(0.0, (1 - abs(c1[a]) ** 2 / abs(c0[a]) ** 2) * flow / outflow)
    return p / max(1.0, p.sum())


@given(states=st.integers(2, 5), seed=st.integers(0, 2**16), strength=st.floats(0.01, 3))
def test_finite_step_probability(states, seed, strength):
    change = random_change(states, seed=seed, strength=strength)
    found = FiniteStep().probabilities(change).numpy()
    for k in range(len(found)):
        expected = literal(
            change.amplitudes_before[k].numpy(),
            change.amplitudes_after[k].numpy(),
            change.propagator[k].numpy(),
            int(change.active_state[k]),
        )
        np.testing.assert_allclose(found[k], expected, atol=1e-10, rtol=1e-8)
    assert (found.sum(1) <= 1 + 1e-15).all()


def test_two_states_lose_exactly_what_the_population_lost():
    """With two states P is 1 − |c_a(t+dt)|²/|c_a(t)|²."""
    change = random_change(2, strength=0.1)
    rows = torch.arange(len(change.active_state))
    before = change.amplitudes_before[rows, change.active_state].abs().square()
    after = change.amplitudes_after[rows, change.active_state].abs().square()
    expected = (1 - after / before).clamp(min=0)
    assert (expected > 0).sum() > 5
    found = FiniteStep().probabilities(change)[rows, 1 - change.active_state]
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-10)


def test_one_state_and_nan_never_hop():
    assert FiniteStep().probabilities(random_change(1)).abs().max() == 0
    change = random_change(3)
    change.amplitudes_after[0] = float("nan")
    assert (FiniteStep().probabilities(change)[0] == 0).all()


def test_selection_intervals_are_open_below_and_closed_above():
    p = torch.tensor([[0.25, 0.0, 0.5]], dtype=torch.float64)
    active = torch.tensor([1])
    for number, expected in (
        (1e-16, 0),
        (0.25, 0),
        (np.nextafter(0.25, 1), 2),
        (0.75, 2),
        (np.nextafter(0.75, 1), 1),
        (1 - 2.0**-53, 1),
    ):
        r = torch.tensor([number], dtype=torch.float64)
        assert select_state(p, r, active_state=active).item() == expected


def test_selected_frequencies():
    p = torch.tensor([0.1, 0.0, 0.3, 0.2], dtype=torch.float64).expand(100_000, -1)
    r = torch.rand(100_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    target = select_state(p, r, active_state=torch.ones(100_000, dtype=torch.int64))
    share = torch.bincount(target, minlength=4) / 100_000
    torch.testing.assert_close(share, torch.tensor([0.1, 0.4, 0.3, 0.2]), atol=5e-3, rtol=0)

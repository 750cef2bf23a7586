"""Tully's rate and global flux: the formulas read literally, and where rules meet each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.electronic.coupled import propagate_coupled
from namd.dynamics.electronic.time_coupling import antisymmetric
from namd.dynamics.hopping.finite_step import FiniteStep
from namd.dynamics.hopping.global_flux import GlobalFlux
from namd.dynamics.hopping.protocol import ElectronicChange
from namd.dynamics.hopping.tully_rate import TullyRate
from namd.errors import ConfigError


def random_change(states, *, seed=0, timestep=20.0, substeps=9, batch=20):
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    before = torch.complex(noise(batch, states), noise(batch, states))
    before = before / before.abs().square().sum(1, keepdim=True).sqrt()
    pairs = states * (states - 1) // 2
    made = propagate_coupled(
        0.05 * noise(batch, states).sort(1).values,
        0.05 * noise(batch, states).sort(1).values,
        couplings=antisymmetric(0.01 * noise(batch, substeps, pairs), states=states),
        timestep=timestep,
    )
    return ElectronicChange(
        amplitudes_before=before,
        amplitudes_after=(made.propagator @ before[:, :, None])[:, :, 0],
        propagator=made.propagator,
        active_state=torch.arange(batch) % states,
        path=made.path,
    )


def literal_rate(c, factors, couplings, a, tau):
    total = np.zeros(len(c))
    for factor, coupling in zip(factors, couplings, strict=True):
        moved = factor @ c
        for b in range(len(c)):
            ends = [(np.conj(x[a]) * x[b]).real / abs(x[a]) ** 2 for x in (c, moved)]
            total[b] += 2 * tau * coupling[a, b] * sum(ends) / 2
        c = moved
    total[a] = 0
    total = np.maximum(total, 0)
    return total / max(1.0, total.sum())


def literal_flux(before, after, a):
    x, w = abs(before) ** 2, abs(after) ** 2
    change, p = w - x, np.zeros(len(before))
    for b in range(len(before)):
        if b != a and change[a] < 0 < change[b]:
            p[b] = (1 - w[a] / x[a]) * change[b] / -change[change < 0].sum()
    return p / max(1.0, p.sum())


@given(states=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_both_rules_are_their_formulas(states, seed):
    change = random_change(states, seed=seed)
    rate, flux = TullyRate().probabilities(change), GlobalFlux().probabilities(change)
    for k, a in enumerate(change.active_state.tolist()):
        before, after = change.amplitudes_before[k].numpy(), change.amplitudes_after[k].numpy()
        path = (change.path.factors[k].numpy(), change.path.couplings[k].numpy())
        expected = literal_rate(before, *path, a, change.path.duration)
        np.testing.assert_allclose(rate[k].numpy(), expected, rtol=1e-9, atol=1e-12)
        expected = literal_flux(before, after, a)
        np.testing.assert_allclose(flux[k].numpy(), expected, rtol=1e-9, atol=1e-12)


def test_two_states_have_one_flux():
    change = random_change(2, seed=4)
    torch.testing.assert_close(
        GlobalFlux().probabilities(change), FiniteStep().probabilities(change), rtol=1e-9, atol=0
    )


def test_the_rate_of_two_states_tends_to_the_finite_step():
    """A rate integrates d|c_a|²/|c_a|², the finite step has the difference of its ends."""
    errors = []
    for dt in (2.0, 1.0):
        change = random_change(2, seed=5, timestep=dt)
        rate, finite = (rule.probabilities(change).amax(1) for rule in (TullyRate(), FiniteStep()))
        errors.append((rate - finite).abs().max().item())
        assert (finite > 0).sum() > 5
    assert errors[1] < errors[0] / 3


def test_flux_reaches_a_state_without_a_coupling_to_it():
    """Superexchange: 0 and 2 are coupled through 1 only, which is hardly populated."""
    before = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.complex128)
    after = torch.tensor([[0.9**0.5, 0.0, 0.1**0.5]], dtype=torch.complex128)
    unit = torch.eye(3, dtype=torch.complex128)[None]
    change = ElectronicChange(
        amplitudes_before=before,
        amplitudes_after=after,
        propagator=unit,
        active_state=torch.tensor([0]),
    )
    found = GlobalFlux().probabilities(change)[0]
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 0.1], dtype=torch.float64))


def test_an_empty_or_broken_state_gives_no_probability():
    change = random_change(3)
    amplitudes = change.amplitudes_before.clone()
    amplitudes[0], amplitudes[1] = 0.0, float("nan")
    for rule in (TullyRate(), GlobalFlux()):
        found = rule.probabilities(replace(change, amplitudes_before=amplitudes))
        assert (found[:2] == 0).all()
        assert torch.equal(found[2:], rule.probabilities(change)[2:])


def test_a_rate_without_a_coupling_is_refused():
    with pytest.raises(ConfigError, match="time-derivative coupling"):
        TullyRate().probabilities(replace(random_change(2), path=None))

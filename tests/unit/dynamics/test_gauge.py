"""Signs of eigenvectors and couplings never reach a trajectory, also with three states."""

from dataclasses import replace

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


class Flipped:
    """A potential whose eigenvectors and couplings come with other signs at every call."""

    def __init__(self, inner, seed):
        self.inner, self.generator = inner, torch.Generator().manual_seed(seed)
        self.molecule, self.states = inner.molecule, inner.states

    def signs(self, *shape):
        bits = torch.randint(0, 2, shape, generator=self.generator, dtype=torch.int64)
        return (2 * bits - 1).to(torch.float64)

    def surfaces(self, positions, active_state):
        s = self.inner.surfaces(positions, active_state)
        signs = self.signs(len(positions), 1, len(self.states))
        return replace(s, eigenvectors=s.eigenvectors * signs)

    def force(self, positions, state):
        return self.inner.force(positions, state)

    def coupling(self, positions, first, second):
        h = self.inner.coupling(positions, first, second)
        return h * self.signs(len(positions), 1, 1)

    def describe(self):
        return self.inner.describe()


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_signs_of_three_states_do_not_matter(crowd, evolve, seed):
    plain, records = evolve(crowd.batch, crowd.potential, crowd.options, steps=40)
    flipped, again = evolve(crowd.batch, Flipped(crowd.potential, seed), crowd.options, steps=40)
    assert sum(int(r.accepted.sum()) for r in records) > 20
    for first, second in zip(records, again, strict=True):
        assert torch.equal(first.accepted, second.accepted)
        assert torch.equal(first.to_state, second.to_state)
    torch.testing.assert_close(flipped.positions, plain.positions, rtol=0, atol=1e-12)
    torch.testing.assert_close(flipped.velocities, plain.velocities, rtol=0, atol=1e-14)
    torch.testing.assert_close(flipped.amplitudes.abs(), plain.amplitudes.abs(), rtol=0, atol=1e-11)

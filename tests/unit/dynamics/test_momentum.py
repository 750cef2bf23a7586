"""Momentum changes: what a hop conserves, what it leaves alone, what a refused hop does."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.batch import kinetic_energy_of
from namd.dynamics.momentum.along_velocity import AlongVelocity
from namd.dynamics.momentum.frustrated import Keep, Reverse
from namd.dynamics.momentum.rescale import rescale
from namd.potentials.tully import tully

MASSES = torch.tensor([1800.0, 21000.0, 29000.0, 1800.0], dtype=torch.float64)


def nuclei(*, batch=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, len(MASSES), 3)
    velocities = 1e-3 * torch.randn(shape, dtype=torch.float64, generator=generator)
    return velocities, torch.randn(shape, dtype=torch.float64, generator=generator)


@given(seed=st.integers(0, 2**16), released=st.floats(-0.02, 0.2), length=st.floats(1e-6, 1e3))
def test_an_allowed_hop_conserves_energy_and_the_perpendicular_momentum(seed, released, length):
    velocities, direction = nuclei(seed=seed)
    gain = torch.full((50,), released, dtype=torch.float64)
    after, allowed = rescale(velocities, length * direction, masses=MASSES, released=gain)
    change = kinetic_energy_of(after, MASSES) - kinetic_energy_of(velocities, MASSES)
    assert ((change - gain).abs()[allowed] < 1e-13).all()
    kick = MASSES[:, None] * (after - velocities)
    unit = direction / direction.square().sum((1, 2), keepdim=True).sqrt()
    across = kick - (kick * unit).sum((1, 2), keepdim=True) * unit
    assert across[allowed].abs().sum() < 1e-9


def test_refused_exactly_when_the_energy_along_the_direction_does_not_suffice():
    velocities, direction = nuclei()
    weight = direction / MASSES[:, None]
    along = (velocities * direction).sum((1, 2)).square() / (2 * (direction * weight).sum((1, 2)))
    for factor, expected in ((0.999, True), (1.001, False)):
        _, allowed = rescale(velocities, direction, masses=MASSES, released=-factor * along)
        assert (allowed == expected).all()


@given(scale=st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3))
def test_sign_and_length_of_the_direction_do_not_matter(scale):
    velocities, direction = nuclei()
    gain = torch.full((50,), 0.01, dtype=torch.float64)
    expected, _ = rescale(velocities, direction, masses=MASSES, released=gain)
    found, _ = rescale(velocities, scale * direction, masses=MASSES, released=gain)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-16)


def test_no_direction_no_hop():
    velocities, direction = nuclei()
    gain = torch.full((50,), 0.01, dtype=torch.float64)
    after, allowed = rescale(velocities, 0.0 * direction, masses=MASSES, released=gain)
    assert not allowed.any()
    assert torch.equal(after, velocities)


def test_the_smaller_of_the_two_changes_is_taken():
    velocities, direction = nuclei()
    nothing = torch.zeros(50, dtype=torch.float64)
    after, allowed = rescale(velocities, direction, masses=MASSES, released=nothing)
    assert allowed.all()
    torch.testing.assert_close(after, velocities, rtol=1e-12, atol=1e-18)


def test_along_the_velocity_every_component_is_scaled_alike():
    velocities, _ = nuclei()
    state = torch.zeros(50, dtype=torch.int64)
    direction = AlongVelocity().direction(
        tully(1), velocities, velocities, masses=MASSES, first=state, second=state
    )
    energy = kinetic_energy_of(velocities, MASSES)
    after, allowed = rescale(velocities, direction, masses=MASSES, released=-0.5 * energy)
    assert allowed.all()
    torch.testing.assert_close(after, velocities * 0.5**0.5, rtol=1e-12, atol=0)


def test_keep_keeps():
    velocities, direction = nuclei()
    assert Keep().velocities(velocities, direction, masses=MASSES) is velocities


@given(seed=st.integers(0, 2**16))
def test_reverse_mirrors_the_momentum_along_the_direction(seed):
    velocities, direction = nuclei(seed=seed)
    reverse = Reverse()
    after = reverse.velocities(velocities, direction, masses=MASSES)
    torch.testing.assert_close(
        kinetic_energy_of(after, MASSES), kinetic_energy_of(velocities, MASSES), rtol=1e-12, atol=0
    )
    torch.testing.assert_close(
        (after * direction).sum((1, 2)),
        -(velocities * direction).sum((1, 2)),
        rtol=1e-9,
        atol=1e-14,
    )
    torch.testing.assert_close(
        reverse.velocities(after, direction, masses=MASSES), velocities, rtol=1e-9, atol=1e-15
    )


def test_reverse_without_a_direction_keeps():
    velocities, direction = nuclei()
    assert torch.equal(Reverse().velocities(velocities, 0 * direction, masses=MASSES), velocities)


def test_masses_matter():
    """An unweighted reflection would not keep the kinetic energy: the test above can fail."""
    velocities, direction = nuclei()
    equal = Reverse().velocities(velocities, direction, masses=torch.ones_like(MASSES))
    change = kinetic_energy_of(equal, MASSES) - kinetic_energy_of(velocities, MASSES)
    assert change.abs().max() > 1e-4

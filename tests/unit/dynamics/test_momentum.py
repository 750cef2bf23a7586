"""Momentum changes: what a hop conserves, what it leaves alone, what a refused hop does."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from namd.dynamics.batch import kinetic_energy_of
from namd.dynamics.momentum.along_gradient_difference import AlongGradientDifference
from namd.dynamics.momentum.along_projected_coupling import (
    AlongProjectedCoupling,
    without_rigid_motion,
)
from namd.dynamics.momentum.along_velocity import AlongVelocity
from namd.dynamics.momentum.along_velocity_per_freedom import AlongVelocityPerFreedom
from namd.dynamics.momentum.delta_v import DeltaV
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


def refused(method, velocities, direction, *, masses=MASSES, force=None):
    force = torch.zeros_like(velocities) if force is None else force
    return method.velocities(velocities, direction, masses=masses, target_force=force)


def test_keep_keeps():
    velocities, direction = nuclei()
    assert refused(Keep(), velocities, direction) is velocities


@given(seed=st.integers(0, 2**16))
def test_reverse_mirrors_the_momentum_along_the_direction(seed):
    velocities, direction = nuclei(seed=seed)
    after = refused(Reverse(), velocities, direction)
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
        refused(Reverse(), after, direction), velocities, rtol=1e-9, atol=1e-15
    )


def test_reverse_without_a_direction_keeps():
    velocities, direction = nuclei()
    assert torch.equal(refused(Reverse(), velocities, 0 * direction), velocities)


def test_masses_matter():
    """An unweighted reflection would not keep the kinetic energy: the test above can fail."""
    velocities, direction = nuclei()
    equal = refused(Reverse(), velocities, direction, masses=torch.ones_like(MASSES))
    change = kinetic_energy_of(equal, MASSES) - kinetic_energy_of(velocities, MASSES)
    assert change.abs().max() > 1e-4


@given(seed=st.integers(0, 2**16))
def test_delta_v_reverses_exactly_where_the_target_state_would_decelerate(seed):
    velocities, direction = nuclei(seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    force = torch.randn(velocities.shape, dtype=torch.float64, generator=generator)
    found = refused(DeltaV(), velocities, direction, force=force)
    reflected = refused(Reverse(), velocities, direction)
    # What a short time on the target state would do to |v·D|, by finite difference.
    later = velocities + 1e-9 * force / MASSES[:, None]
    slower = along(later, direction).abs() < along(velocities, direction).abs()
    assert 0 < slower.sum() < len(slower)
    assert torch.equal(found, torch.where(slower[:, None, None], reflected, velocities))
    for flipped in (-direction, 3.0 * direction):
        again = refused(DeltaV(), velocities, flipped, force=force)
        torch.testing.assert_close(again, found, rtol=1e-10, atol=1e-16)


def along(velocities, direction):
    return (velocities * direction).sum((1, 2))


@pytest.mark.parametrize(("atoms", "freedoms"), [(1, 1), (2, 1), (3, 3), (26, 72)])
def test_the_reservoir_is_the_energy_of_one_degree_of_freedom(atoms, freedoms):
    method = AlongVelocityPerFreedom()
    share = method.available(atoms)
    assert share == pytest.approx(1 / freedoms)
    assert AlongVelocity().available(atoms) == 1
    velocities, _ = nuclei()
    energy = kinetic_energy_of(velocities, MASSES)
    momenta = MASSES[:, None] * velocities
    for factor, expected in ((0.999, True), (1.001, False)):
        needed = factor * share * energy
        after, allowed = rescale(
            velocities, momenta, masses=MASSES, released=-needed, available=share
        )
        assert (allowed == expected).all()
        if expected:  # every component pays its part of the energy the hop needs
            left = (1 - factor * share) ** 0.5
            torch.testing.assert_close(after, velocities * left, rtol=1e-9, atol=1e-13)


def test_a_hop_downwards_is_always_allowed_whatever_the_reservoir():
    velocities, direction = nuclei()
    gain = torch.full((50,), 0.05, dtype=torch.float64)
    whole, _ = rescale(velocities, direction, masses=MASSES, released=gain)
    part, allowed = rescale(velocities, direction, masses=MASSES, released=gain, available=0.01)
    assert allowed.all()
    assert torch.equal(part, whole)


def test_gradient_difference_is_the_gradient_of_the_gap(crowd):
    positions, state = crowd.batch.positions, crowd.batch.active_state
    other = (state + 1) % 3
    found = AlongGradientDifference().direction(
        crowd.potential,
        positions,
        crowd.batch.velocities,
        masses=crowd.options.masses,
        first=state,
        second=other,
    )

    def gap(x):
        energies = crowd.potential.surfaces(x, state).energies
        pair = energies.gather(1, torch.stack((state, other), 1))
        return pair[:, 1] - pair[:, 0]

    shift = 1e-6 * torch.randn(
        positions.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    change = 0.5 * (gap(positions + shift) - gap(positions - shift))
    torch.testing.assert_close(along(found, shift), change, rtol=1e-5, atol=1e-12)


@given(seed=st.integers(0, 2**16), linear=st.booleans())
def test_the_projection_leaves_no_translation_and_no_rotation(seed, linear):
    positions, vectors = nuclei(seed=seed)
    positions = 2000 * positions
    if linear:
        places = torch.tensor([-3.0, -1.0, 0.5, 2.0], dtype=torch.float64)
        axis = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
        positions = (places[:, None] * axis).expand_as(positions)
    found = without_rigid_motion(vectors, positions, masses=MASSES)
    assert found.sum(1).abs().max() < 1e-10
    torque = torch.linalg.cross(positions, found).sum(1)
    assert torque.abs().max() < 1e-8
    again = without_rigid_motion(found, positions, masses=MASSES)
    torch.testing.assert_close(again, found, rtol=1e-9, atol=1e-9)
    assert (found.square().sum((1, 2)) > 1e-6).all()


def test_the_projection_removes_rigid_motion_and_nothing_else():
    positions, shape = nuclei()
    positions = 2000 * positions
    internal = without_rigid_motion(shape, positions, masses=MASSES)
    velocity = torch.tensor([0.3, -0.1, 0.2], dtype=torch.float64)
    spin = torch.tensor([0.1, 0.4, -0.2], dtype=torch.float64).expand_as(positions)
    rigid = MASSES[:, None] * (velocity + torch.linalg.cross(spin, positions))
    found = without_rigid_motion(internal + rigid, positions, masses=MASSES)
    torch.testing.assert_close(found, internal, rtol=1e-9, atol=1e-8)


def test_a_hop_along_the_projected_coupling_keeps_momentum_and_angular_momentum(crowd):
    batch, masses = crowd.batch, crowd.options.masses
    other = (batch.active_state + 1) % 3
    pair = {"first": batch.active_state, "second": other}
    direction = AlongProjectedCoupling().direction(
        crowd.potential, batch.positions, batch.velocities, masses=masses, **pair
    )
    energies = batch.energies
    released = (
        energies.gather(1, batch.active_state[:, None]) - energies.gather(1, other[:, None])
    ).squeeze(1)
    after, allowed = rescale(batch.velocities, direction, masses=masses, released=released)
    kick = (masses[:, None] * (after - batch.velocities))[allowed]
    assert len(kick) > 20
    assert kick.abs().sum((1, 2)).min() > 1e-3
    assert kick.sum(1).abs().max() < 1e-10
    assert torch.linalg.cross(batch.positions[allowed], kick).sum(1).abs().max() < 1e-10


def test_a_lone_particle_has_no_internal_direction():
    positions = torch.randn(
        5, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    mass = torch.tensor([2000.0], dtype=torch.float64)
    assert without_rigid_motion(positions, positions, masses=mass).abs().max() < 1e-12

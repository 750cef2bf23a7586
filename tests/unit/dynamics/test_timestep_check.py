"""The time step against the fastest vibration, and that what is said of Verlet is so."""

import math

import numpy as np
import pytest

from namd.dynamics.timestep_check import ADVISED_STEPS, FEWEST_STEPS, check_timestep
from namd.errors import ConfigError
from namd.units import FS_PER_ATOMIC_TIME, HARTREE_PER_INVERSE_CM

OMEGA = 3000.0 * HARTREE_PER_INVERSE_CM


def step_for(steps: float) -> float:
    return 2 * math.pi / (OMEGA * steps)


def verlet_energies(steps_per_period: float, *, steps: int) -> np.ndarray:
    """Energy of a harmonic oscillator of frequency 1 under velocity Verlet, from x = 0."""
    dt, x, v = 2 * math.pi / steps_per_period, 0.0, 1.0
    energies = []
    for _ in range(steps):
        new = x + v * dt - 0.5 * x * dt * dt
        v -= 0.5 * (x + new) * dt
        x = new
        energies.append(0.5 * (v * v + x * x))
    return np.array(energies)


def test_enough_steps_are_told_without_a_warning() -> None:
    check = check_timestep(OMEGA, vibration="mode 5", timestep=step_for(20.9))
    assert not check.coarse
    assert "20.9 steps per period" in check.text
    assert "(mode 5, 3000 cm⁻¹)" in check.text


def test_few_steps_are_warned_of_and_the_advice_cures() -> None:
    check = check_timestep(OMEGA, vibration="mode 5", timestep=step_for(FEWEST_STEPS - 0.1))
    assert check.coarse
    advised = float(check.text.split("use ")[1].split(" fs")[0])
    assert advised == pytest.approx(step_for(ADVISED_STEPS) * FS_PER_ATOMIC_TIME, rel=0.05)
    cured = check_timestep(OMEGA, vibration="mode 5", timestep=advised / FS_PER_ATOMIC_TIME)
    assert not cured.coarse


def test_an_unstable_step_is_refused_exactly_where_verlet_blows_up() -> None:
    below, above = 2.001 / OMEGA, 1.999 / OMEGA
    with pytest.raises(ConfigError, match=r"unstable: 3\.1 steps per period.*mode 5"):
        check_timestep(OMEGA, vibration="mode 5", timestep=below)
    assert check_timestep(OMEGA, vibration="mode 5", timestep=above).coarse
    assert verlet_energies(2 * math.pi / 2.001, steps=400).max() > 1e3
    assert verlet_energies(2 * math.pi / 1.9, steps=4000).max() < 1e2


@pytest.mark.parametrize("steps_per_period", [10.0, 15.0, 20.0])
def test_the_fluctuation_is_that_of_the_table(steps_per_period: float) -> None:
    energies = verlet_energies(steps_per_period, steps=2000)
    expected = (2 * math.pi / steps_per_period) ** 2 / 4
    assert np.ptp(energies) / 0.5 == pytest.approx(expected, rel=0.15)

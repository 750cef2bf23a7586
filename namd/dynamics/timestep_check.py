r"""The time step against the fastest vibration, before a run starts.

Velocity Verlet of a harmonic vibration ω is stable for ω dt < 2 only. Well inside it conserves not
the energy but a quantity next to it, so that the energy of the vibration E swings by up to about
E (ω dt)²/4 in every period; with T/dt = 2π/(ω dt) steps per period

======== ===================
T/dt     (ω dt)²/4
======== ===================
10       10 %
15       4 %
20       2.5 %
π        stability ends
======== ===================

Reference: E. Hairer, C. Lubich, G. Wanner, Acta Numerica 12 (2003) 399,
DOI 10.1017/S0962492902000144.
"""

import math
from dataclasses import dataclass

from namd.errors import ConfigError
from namd.units import FS_PER_ATOMIC_TIME, HARTREE_PER_INVERSE_CM

FEWEST_STEPS = 15.0
"""Steps per period of the fastest vibration under which there is a warning."""
ADVISED_STEPS = 20.0
"""Steps per period that the recommended time step has."""


@dataclass(frozen=True, kw_only=True)
class TimestepCheck:
    """What there is to say about a time step.

    Parameters
    ----------
    text
        One line with the steps per period, and what is recommended if they are few.
    coarse
        Whether they are few.
    """

    text: str
    coarse: bool


def check_timestep(frequency: float, *, vibration: str, timestep: float) -> TimestepCheck:
    """Compare a time step with the period of the fastest vibration.

    Parameters
    ----------
    frequency
        ω of the fastest vibration, Hartree (ħ = 1).
    vibration
        What to call it, e.g. ``mode 71``.
    timestep
        dt in atomic units of time.

    Raises
    ------
    ConfigError
        If velocity Verlet is unstable, ω dt ≥ 2.

    Examples
    --------
    >>> check_timestep(0.015, vibration="mode 71", timestep=20.0).text
    'time step 0.484 fs: 20.9 steps per period of the fastest vibration (mode 71, 3292 cm⁻¹)'
    """
    steps = 2.0 * math.pi / (frequency * timestep)
    advised = 2.0 * math.pi / (frequency * ADVISED_STEPS) * FS_PER_ATOMIC_TIME
    named = f"{vibration}, {frequency / HARTREE_PER_INVERSE_CM:.0f} cm⁻¹"
    width = timestep * FS_PER_ATOMIC_TIME
    advice = f"{advised:.2g} fs ({ADVISED_STEPS:.0f} steps per period) or less"
    if frequency * timestep >= 2.0:
        raise ConfigError(
            f"velocity Verlet is unstable: {steps:.1f} steps per period of the fastest vibration "
            f"({named}), and below π the energy grows without bound",
            where=f"dynamics, time step = {width:.3g} fs",
            hint=f"use {advice}",
        )
    text = f"time step {width:.3g} fs: {steps:.1f} steps per period of the fastest vibration "
    text += f"({named})"
    coarse = steps < FEWEST_STEPS
    if coarse:
        text += f"; fewer than {FEWEST_STEPS:.0f} let the energy fluctuate: use {advice}"
    return TimestepCheck(text=text, coarse=coarse)

"""A verdict on the energy conservation of every trajectory.

From what :mod:`namd.analysis.conservation` measures, in this order:

* ``violated``: stopped by the total-energy guard, or ever further from its first total energy than
  ``deviation_ev``, or a jump between neighbouring saved frames above ``jump_ev``. It has not
  followed the surfaces it was given; leave it out, and shorten the time step or improve the model.
* ``too short``: fewer than three saved frames, which tell no drift.
* ``drifting``: a drift above ``drift_ev_per_ps`` that is no accident of the fluctuation (the line
  explains more of the energy's variance than it leaves). It would be violated if it went on.
* ``conserved``: none of these.

The limits of deviation and jump are those by which SHARC's ``diagnostics.py`` judges trajectories
(0.2 and 0.1 eV); that of the drift reaches the deviation within a picosecond.
"""

from dataclasses import dataclass, fields

import numpy as np

from namd.analysis.conservation import EnergyConservation, energy_conservation
from namd.errors import ConfigError
from namd.io.ensemble import REASONS, Ensemble, is_parked

CONSERVED, DRIFTING, VIOLATED, TOO_SHORT = "conserved", "drifting", "violated", "too short"
VERDICTS = (CONSERVED, DRIFTING, VIOLATED, TOO_SHORT)

_ENERGY_GUARD = next(code for code, reason in REASONS.items() if reason.name == "energy jump")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is still conserved.

    Parameters
    ----------
    drift_ev_per_ps
        Largest absolute slope of the total energy.
    deviation_ev
        Largest absolute difference from the first total energy.
    jump_ev
        Largest absolute change between neighbouring saved frames.

    Raises
    ------
    ConfigError
        If one of them is not positive.
    """

    drift_ev_per_ps: float = 0.2
    deviation_ev: float = 0.2
    jump_ev: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ConfigError("a limit must be positive", where=f"{field.name} = {value}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Audit:
    """What was measured, and the verdict of each trajectory.

    Parameters
    ----------
    measured
        Drift, fluctuation, jumps, deviation.
    limits
        By which it was judged.
    verdicts
        One of :data:`VERDICTS` per trajectory, in the order of the ensemble.
    """

    measured: EnergyConservation
    limits: Limits
    verdicts: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Trajectories by verdict, every verdict named."""
        return {verdict: self.verdicts.count(verdict) for verdict in VERDICTS}


def audit(ensemble: Ensemble, *, limits: Limits | None = None) -> Audit:
    """Judge the energy conservation of every trajectory (module docstring)."""
    limits = limits or Limits()
    found = energy_conservation(ensemble)
    stopped = is_parked(ensemble) & (ensemble.final_reason == _ENERGY_GUARD)
    jumped = np.nan_to_num(found.jump_ev) > limits.jump_ev
    violated = stopped | jumped | (found.deviation_ev > limits.deviation_ev)
    slope = np.abs(found.drift_ev_per_ps)
    # Evenly saved frames have a standard deviation of time of the length over √12.
    explained = slope * found.time_ps / np.sqrt(12.0)
    drifting = (slope > limits.drift_ev_per_ps) & (explained > found.fluctuation_ev)
    short = np.isnan(slope)
    chosen = np.select([violated, short, drifting], [VIOLATED, TOO_SHORT, DRIFTING], CONSERVED)
    return Audit(measured=found, limits=limits, verdicts=tuple(chosen.tolist()))

"""How well each trajectory keeps its total energy: drift, fluctuation, jumps.

A trajectory counts while it moves: from its start to the frame in which it finished, or to the last
frame before it was parked. In that time a straight line is fitted to its total energy (kinetic plus
active-state energy; a hop changes the state, not the total),

    E(t) ≈ E_0 + s t,    s = Σ (t − t̄)(E − Ē) / Σ (t − t̄)²,

whose slope s is the drift. What is left around the line is the fluctuation. An energy error that
does not come from the time step (a rough surface, a hop that was rescaled wrongly) shows as a jump
between neighbouring saved frames.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from namd.io.ensemble import ACTIVE, FINISHED, Ensemble, parking_reasons
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME

_FEWEST_FRAMES = 3
"""Two frames always lie on a line: they tell a change, but neither a drift nor a fluctuation."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median and range of one number over the trajectories that have it.

    Parameters
    ----------
    lower, median, upper
        5 %, 50 % and 95 % quantiles.
    largest
        Largest absolute value.
    """

    lower: float
    median: float
    upper: float
    largest: float


@dataclass(frozen=True, eq=False, kw_only=True)
class EnergyConservation:
    """Conservation of the total energy, per trajectory in the order of the ensemble.

    Parameters
    ----------
    trajectory_id
        Number of the trajectory in the run.
    time_ps
        How long it moved.
    drift_ev_per_ps
        Slope of the fitted line, with its sign; NaN with fewer than three frames.
    fluctuation_ev
        Root mean square of the energy around that line; NaN likewise.
    jump_ev
        Largest absolute change between neighbouring saved frames; NaN with one frame.
    deviation_ev
        Largest absolute difference from the energy at the start.
    parked
        Parked trajectories by the name of the reason.
    """

    trajectory_id: Int[np.ndarray, " traj"]
    time_ps: Float[np.ndarray, " traj"]
    drift_ev_per_ps: Float[np.ndarray, " traj"]
    fluctuation_ev: Float[np.ndarray, " traj"]
    jump_ev: Float[np.ndarray, " traj"]
    deviation_ev: Float[np.ndarray, " traj"]
    parked: dict[str, int]


def energy_conservation(ensemble: Ensemble) -> EnergyConservation:
    """Measure drift, fluctuation, jumps and deviation of every trajectory's total energy."""
    time, counted = _moving_frames(ensemble)
    energy = ensemble.total_energy * EV_PER_HARTREE
    energy = np.where(counted, energy - energy[0], 0.0)
    drift, fluctuation = _line(time, energy, counted)
    both = counted[1:] & counted[:-1]
    jumps = np.where(both, np.abs(np.diff(energy, axis=0)), 0.0).max(axis=0, initial=0.0)
    return EnergyConservation(
        trajectory_id=ensemble.trajectory_id,
        time_ps=np.where(counted, time, 0.0).max(axis=0),
        drift_ev_per_ps=drift,
        fluctuation_ev=fluctuation,
        jump_ev=np.where(both.any(axis=0), jumps, np.nan),
        deviation_ev=np.abs(energy).max(axis=0),
        parked=parking_reasons(ensemble),
    )


def spread(values: Float[np.ndarray, " traj"]) -> Spread | None:
    """Summarise one number per trajectory; NaN stands for none, and without any there is None."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    lower, median, upper = (float(q) for q in np.quantile(known, [0.05, 0.5, 0.95]))
    return Spread(lower=lower, median=median, upper=upper, largest=float(np.abs(known).max()))


def _moving_frames(
    ensemble: Ensemble,
) -> tuple[Float[np.ndarray, "frame traj"], np.ndarray]:
    """Time in ps of every trajectory in every frame, and whether the frame counts.

    Later frames repeat the last state of a trajectory that has ended. Of a finished one the first
    such frame counts, at the time of its last step; of a parked one none does.
    """
    end = ensemble.final_step * ensemble.timestep
    time = np.minimum(ensemble.time[:, None], end) * (FS_PER_ATOMIC_TIME / 1000.0)
    active = ensemble.status == ACTIVE
    ends_here = (ensemble.status[1:] == FINISHED) & active[:-1]
    counted = active.copy()
    counted[1:] |= ends_here
    counted[0] = True
    return time, counted & np.isfinite(ensemble.total_energy)


def _line(
    time: Float[np.ndarray, "frame traj"],
    energy: Float[np.ndarray, "frame traj"],
    counted: np.ndarray,
) -> tuple[Float[np.ndarray, " traj"], Float[np.ndarray, " traj"]]:
    """Slope of the least-squares line through the counted frames, and the RMS around it."""
    number = np.maximum(counted.sum(axis=0), 1)

    def centred(values: np.ndarray) -> np.ndarray:
        mean = np.where(counted, values, 0.0).sum(axis=0) / number
        return np.where(counted, values - mean, 0.0)

    t, e = centred(time), centred(energy)
    square = (t * t).sum(axis=0)
    enough = (counted.sum(axis=0) >= _FEWEST_FRAMES) & (square > 0)
    slope = np.where(enough, (t * e).sum(axis=0) / np.where(enough, square, 1.0), np.nan)
    rest = ((e - slope * t) ** 2).sum(axis=0) / number
    return slope, np.sqrt(rest)

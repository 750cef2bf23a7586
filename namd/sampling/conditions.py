"""What every way of starting trajectories ends in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from namd.sampling.normal_modes import NormalModes


@dataclass(frozen=True, eq=False, kw_only=True)
class InitialConditions:
    """Where every trajectory starts.

    Parameters
    ----------
    positions, velocities
        Bohr, Bohr per atomic time unit.
    active_state
        0-based.
    diabatic_state
        The diabat in which each starts, 0-based; none for a start in the adiabatic active state.
    reference
        Geometry whose bonds the broken-molecule guard watches, Bohr; none for a model particle.
    notes
        What a user should know, e.g. which modes were frozen; one line each.
    candidate
        Number of the sampled geometry of each trajectory, where they were chosen by absorption.
    excitation
        Counts of that choice.
    modes
        The vibrations they were drawn from, if they were.
    """

    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    active_state: Int[np.ndarray, " traj"]
    diabatic_state: Int[np.ndarray, " traj"] | None = None
    reference: Float[np.ndarray, "atom 3"] | None = None
    notes: tuple[str, ...] = ()
    candidate: Int[np.ndarray, " traj"] | None = None
    excitation: dict[str, Any] | None = None
    modes: NormalModes | None = None

    def record(self) -> dict[str, Any]:
        """How they were made, for the file of a run: ``notes`` and ``excitation``."""
        counts = {} if self.excitation is None else {"excitation": self.excitation}
        return {"notes": list(self.notes), **counts}


def same_state(state: int | None, count: int) -> Int[np.ndarray, " traj"]:
    """Give every trajectory the same state; where absorption is to choose, that is for later."""
    return np.full(count, state or 0, dtype=np.int64)

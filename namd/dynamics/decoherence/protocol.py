"""What the step asks of a decoherence correction."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCircumstances:
    """What is known of a step beside the trajectories before and after it.

    Parameters
    ----------
    attempted, accepted
        Whether a hop was tried in this step, and whether it was made.
    masses
        M, electron masses.
    timestep
        dt, atomic units.
    seed
        Of the run, for what is drawn at random.
    """

    attempted: Bool[Tensor, " traj"]
    accepted: Bool[Tensor, " traj"]
    masses: Float64[Tensor, " atom"]
    timestep: float
    seed: int


@runtime_checkable
class Decoherence(Protocol):
    """Damps the amplitudes at the end of a step.

    A correction that needs more of the surfaces, or remembers earlier steps, declares it as
    :mod:`namd.dynamics.demands` says.
    """

    def damp(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, step: StepCircumstances
    ) -> TrajectoryBatch:
        """``after`` with corrected amplitudes, of unit norm, and what is remembered.

        Parameters
        ----------
        before
            Trajectories at t.
        after
            Trajectories at t + dt, after the hop of this step, if there was one.
        step
            The rest.
        """
        ...

    def describe(self) -> str:
        """Name, constants and convention, written into every file a run makes."""
        ...

"""What a strategy may declare beside its own protocol: what it needs, and what it remembers.

A strategy that declares nothing costs nothing: a step then asks for energies and the force of the
active state alone, and no tensor is carried along.
"""

from typing import Protocol, runtime_checkable

from namd.dynamics.batch import Memory, TrajectoryBatch
from namd.potentials.protocol import Needs


@runtime_checkable
class Demanding(Protocol):
    """A strategy that needs more of every geometry than energies and the active force."""

    @property
    def needs(self) -> Needs:
        """What it needs in every step."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A strategy that looks further back than one step.

    It finds what it remembers with :func:`namd.dynamics.batch.recall` and hands the next value to
    the step; names are its own choice. All of it is part of the batch, and so of a checkpoint.
    """

    def first_memory(self, batch: TrajectoryBatch, *, seed: int) -> Memory:
        """What it remembers at step 0, one row per trajectory.

        Parameters
        ----------
        batch
            Trajectories at step 0, with everything but their memory.
        seed
            Of the run, for what is drawn at random.
        """
        ...

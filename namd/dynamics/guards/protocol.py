"""What the step asks of a guard."""

from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.status import Reason


@runtime_checkable
class Guard(Protocol):
    """Tells which trajectories cannot go on, judging each by itself."""

    @property
    def reason(self) -> Reason:
        """The reason written beside a trajectory this guard parks."""
        ...

    def trips(
        self,
        before: TrajectoryBatch,
        after: TrajectoryBatch,
        *,
        masses: Float64[Tensor, " atom"],
    ) -> Bool[Tensor, " traj"]:
        """Whether the step from ``before`` to ``after`` cannot be right."""
        ...

"""Stop a trajectory whose step produced NaN or infinity."""

from dataclasses import dataclass

from jaxtyping import Bool, Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, is_finite
from namd.dynamics.status import Reason


@dataclass(frozen=True)
class NotANumber:
    """Trips where anything a trajectory holds is not finite."""

    @property
    def reason(self) -> Reason:
        """``NOT_A_NUMBER``."""
        return Reason.NOT_A_NUMBER

    def trips(
        self,
        before: TrajectoryBatch,  # noqa: ARG002  (protocol)
        after: TrajectoryBatch,
        *,
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
    ) -> Bool[Tensor, " traj"]:
        """Rows of ``after`` with a number that is not finite."""
        return ~is_finite(after)

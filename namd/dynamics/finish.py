"""When a trajectory is finished: the end of its time, or what was to be seen has been seen."""

from dataclasses import dataclass, replace

import torch

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.status import Status


@dataclass(frozen=True, kw_only=True)
class FinishRules:
    """Conditions under any of which an active trajectory is finished.

    Parameters
    ----------
    max_steps
        Steps of the longest trajectory.
    outside
        Largest |x| of any atom, Bohr; none: no limit.
    ground_state_steps
        Steps in the ground state since the last hop; none: no limit.
    """

    max_steps: int
    outside: float | None = None
    ground_state_steps: int | None = None

    def apply(self, batch: TrajectoryBatch) -> TrajectoryBatch:
        """Mark the finished trajectories; no other number changes."""
        done = batch.step >= self.max_steps
        if self.outside is not None:
            done = done | (batch.positions[..., 0].abs() > self.outside).any(1)
        if self.ground_state_steps is not None:
            settled = batch.step - batch.last_hop_step >= self.ground_state_steps
            done = done | ((batch.active_state == 0) & (batch.last_hop_step >= 0) & settled)
        finished = done & (batch.status == Status.ACTIVE)
        return replace(
            batch,
            status=torch.where(
                finished, torch.full_like(batch.status, Status.FINISHED), batch.status
            ),
        )

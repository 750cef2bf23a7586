r"""Reflect a refused hop only where the surface that could not be reached would have done so.

The component of the velocity along D is reversed if the force of the target state b decelerates it,

.. math::

    (F_b \cdot M^{-1} D)\,(D \cdot v) < 0,

and kept otherwise: a trajectory that the target state would have pushed onwards is not sent back.
With one mass this is the (F_b·D)(D·p) < 0 of the paper, whose coordinates are scaled to one mass.

Reference: A. W. Jasper, D. G. Truhlar, Chem. Phys. Lett. 369 (2003) 60,
DOI 10.1016/S0009-2614(02)01990-5.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.momentum.frustrated import Reverse


@dataclass(frozen=True)
class DeltaV:
    """Reverse along D where the target state's force opposes the motion, else keep."""

    def velocities(
        self,
        velocities: Float64[Tensor, "traj atom 3"],
        direction: Float64[Tensor, "traj atom 3"],
        *,
        masses: Float64[Tensor, " atom"],
        target_force: Float64[Tensor, "traj atom 3"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """Reflected velocities where the criterion holds; the others unchanged."""
        push = (target_force * direction / masses[:, None]).sum((1, 2))
        along = (velocities * direction).sum((1, 2))
        reflected = Reverse().velocities(
            velocities, direction, masses=masses, target_force=target_force
        )
        return torch.where((push * along < 0)[:, None, None], reflected, velocities)

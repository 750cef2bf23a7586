r"""Hop probability from the change of the active population over one finite step.

.. math::

    P_{a\to b} = \left(1 - \frac{|c_a(t+dt)|^2}{|c_a(t)|^2}\right)
    \frac{\mathrm{Re}[c_b(t+dt)\,\mathcal R_{ba}^*\, c_a^*(t)]}
         {|c_a(t)|^2 - \mathrm{Re}[c_a(t+dt)\,\mathcal R_{aa}^*\, c_a^*(t)]}

zero where negative, all zero where the active population grew, and renormalised where the sum
exceeds one. Unlike Tully's rate it needs no time-derivative coupling and holds for any step.

Reference: G. Granucci, M. Persico, A. Toniolo, J. Chem. Phys. 114 (2001) 10608,
DOI 10.1063/1.1376633.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.hopping.protocol import ElectronicChange, bounded


@dataclass(frozen=True)
class FiniteStep:
    """Granucci–Persico–Toniolo hop probability."""

    def probabilities(self, change: ElectronicChange) -> Float64[Tensor, "traj state"]:
        """P_{a→b} of the module docstring (real arithmetic throughout)."""
        active = change.active_state[:, None]
        before = torch.view_as_real(change.amplitudes_before)
        after = torch.view_as_real(change.amplitudes_after)
        start = before.gather(1, active[:, :, None].expand(-1, -1, 2))  # c_a(t)
        column = torch.view_as_real(change.propagator).gather(
            2, active[:, :, None, None].expand(-1, before.shape[1], 1, 2)
        )[:, :, 0]  # R_ba for all b
        # R_ba c_a(t): the part of c_b(t+dt) that came from the active state.
        arrived_real = column[..., 0] * start[..., 0] - column[..., 1] * start[..., 1]
        arrived_imaginary = column[..., 0] * start[..., 1] + column[..., 1] * start[..., 0]
        flow = after[..., 0] * arrived_real + after[..., 1] * arrived_imaginary
        population = (start[..., 0] * start[..., 0] + start[..., 1] * start[..., 1]).squeeze(1)
        kept = (after[..., 0] * after[..., 0] + after[..., 1] * after[..., 1]).gather(1, active)
        lost = 1.0 - kept.squeeze(1) / population
        outflow = population - flow.gather(1, active).squeeze(1)
        leaving = (lost > 0) & (outflow > 0)
        rate = torch.where(leaving, lost / torch.where(leaving, outflow, 1.0), 0.0)
        return bounded(rate[:, None] * flow, active_state=change.active_state)

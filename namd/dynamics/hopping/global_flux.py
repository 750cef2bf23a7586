r"""Global flux surface hopping: probabilities from the populations before and after alone.

.. math::

    P_{a\to b} = \left(1 - \frac{\rho_a(t+dt)}{\rho_a(t)}\right)
    \frac{\Delta\rho_b}{\sum_{i: \Delta\rho_i < 0} (-\Delta\rho_i)}
    \quad\text{for } \Delta\rho_a < 0 < \Delta\rho_b, \text{ else } 0

with Δρ the change of a population over the step. Flux is not followed from state to state, so that
a population may arrive where no direct coupling leads (superexchange). For two states it is the
finite-step probability.

Reference: L. Wang, D. Trivedi, O. V. Prezhdo, J. Chem. Theory Comput. 10 (2014) 3598,
DOI 10.1021/ct5003835.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex128, Float64
from torch import Tensor

from namd.dynamics.hopping.protocol import ElectronicChange, bounded


@dataclass(frozen=True)
class GlobalFlux:
    """Global flux surface hopping (GFSH)."""

    def probabilities(self, change: ElectronicChange) -> Float64[Tensor, "traj state"]:
        """P_{a→b} of the module docstring."""
        active = change.active_state[:, None]
        before = _populations(change.amplitudes_before)
        growth = _populations(change.amplitudes_after) - before
        shrunk = (-growth).clamp(min=0.0)
        total = shrunk.cumsum(1)[:, -1:]
        occupied = before.gather(1, active)
        leaving = (growth.gather(1, active) < 0) & (occupied > 0)
        share = shrunk.gather(1, active) / torch.where(leaving, occupied * total, 1.0)
        return bounded(torch.where(leaving, share * growth, 0.0), active_state=change.active_state)


def _populations(amplitudes: Complex128[Tensor, "traj state"]) -> Float64[Tensor, "traj state"]:
    parts = torch.view_as_real(amplitudes)
    return (parts * parts).sum(2)

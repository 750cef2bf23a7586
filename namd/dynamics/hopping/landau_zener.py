r"""Landau–Zener hops after Belyaev and Lebedev: from the gap and its curvature at its minimum.

.. math::

    P_{a\to b} = \exp\left[-\frac{\pi}{2} \sqrt{\frac{\Delta E_{ab}^3}{\Delta\ddot E_{ab}}}\right]
    \quad\text{at a local minimum of } \Delta E_{ab}(t), \text{ else } 0

with the second derivative by central differences. Energies and one force are all it needs: no
coupling, no basis, no amplitudes, no decoherence. States a and b are neighbours in energy: the gap
to a further state has a minimum wherever that state crosses another, which is none of a's business.

References
----------
A. K. Belyaev, O. V. Lebedev, Phys. Rev. A 84 (2011) 014701, DOI 10.1103/PhysRevA.84.014701;
J. Suchan, J. Janoš, P. Slavíček, J. Chem. Theory Comput. 16 (2020) 5809,
DOI 10.1021/acs.jctc.0c00512.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch, recall
from namd.dynamics.hopping.protocol import bounded

_PAST = "energies_before"


@dataclass(frozen=True)
class LandauZener:
    """Belyaev–Lebedev hop probability."""

    def first_memory(self, batch: TrajectoryBatch, *, seed: int) -> Memory:  # noqa: ARG002
        """Place for the energies one step earlier."""
        return self.next_memory(batch)

    def next_memory(self, before: TrajectoryBatch) -> Memory:
        """Energies at t, for the step from t + dt on."""
        return {_PAST: before.energies}

    def hindsight(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> Float64[Tensor, "traj state"]:
        """P_{a→b} at t of the module docstring; zero at step 0, which has no step before."""
        active = before.active_state[:, None]
        past, here, ahead = (
            (energies - energies.gather(1, active)).abs()
            for energies in (recall(before, _PAST), before.energies, after.energies)
        )
        states = torch.arange(here.shape[1], device=here.device)
        neighbour = (states - active).abs() == 1
        minimum = neighbour & (here < past) & (here < ahead) & (before.step[:, None] > 0)
        bend = torch.where(minimum, ahead - 2.0 * here + past, 1.0) / timestep**2
        probability = torch.exp(-0.5 * torch.pi * (here * here * here / bend).sqrt())
        return bounded(torch.where(minimum, probability, 0.0), active_state=before.active_state)

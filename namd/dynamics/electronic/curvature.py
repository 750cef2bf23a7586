r"""Curvature-driven coupling: the size of T from the shape of the gap alone, without any vectors.

.. math::

    T_{ij} = -T_{ji} = \tfrac12 \sqrt{\Delta\ddot E_{ij} / \Delta E_{ij}}
    \;\text{ where positive, else } 0, \qquad \Delta E_{ij} = E_j - E_i, \; i < j

In the ``energy`` form the second derivative is a backward difference of stored energies, of three
points at first and (2, −5, 4, −1)/dt² from the third step on; in the ``gradient`` form it is the
change over the step of ΔĖ = −(F_j − F_i)·v. In the two steps after a hop the former differences
across the change of momentum, as it was published; the latter does not. The amplitudes go through
the substeps with T linear within the step. No basis is needed and no sign matters. T means
something near an avoided crossing only: elsewhere any positive curvature makes a coupling, which a
gap threshold cuts off. The sign of T is lost, so that the interference of two crossings may come
out inverted (Tully's dual crossing does). Nobody hops in the first three steps.

References
----------
Y. Shu, L. Zhang, X. Chen, S. Sun, Y. Huang, D. G. Truhlar, J. Chem. Theory Comput. 18 (2022) 1320,
DOI 10.1021/acs.jctc.1c01080;
M. T. do Casal, J. M. Toldo, M. Pinheiro Jr, M. Barbatti, Open Res. Europe 1 (2021) 49,
DOI 10.12688/openreseurope.13624.2.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch, recall
from namd.dynamics.electronic.coupled import check_substeps, propagate_coupled, substep_weights
from namd.dynamics.electronic.protocol import ElectronicStep
from namd.dynamics.electronic.time_coupling import antisymmetric
from namd.errors import ConfigError
from namd.potentials.protocol import Needs

STEPS_WITHOUT_HOPS = 3
_COUPLING, _PAST = "time_derivative_coupling", "past_energies"


@dataclass(frozen=True)
class Curvature:
    """Curvature-driven coupling.

    Parameters
    ----------
    substeps
        n, substeps per nuclear step.
    form
        Second derivative of the gap from ``energy`` or from ``gradient``; the latter needs the
        forces of all states in every step.
    gap_threshold
        Pairs with a larger gap (Hartree) do not couple; none: all do. 0.5 eV is advised.

    Raises
    ------
    ConfigError
        If there are no substeps, or the threshold is not positive.
    """

    substeps: int = 25
    form: Literal["energy", "gradient"] = "energy"
    gap_threshold: float | None = None

    def __post_init__(self) -> None:
        check_substeps(self.substeps)
        if self.gap_threshold is not None and not self.gap_threshold > 0:
            raise ConfigError(
                "the gap threshold (Hartree) must be positive",
                where=f"curvature gap threshold = {self.gap_threshold}",
            )

    @property
    def needs(self) -> Needs:
        """The forces of all states in the gradient form, else nothing."""
        return Needs.FORCES if self.form == "gradient" else Needs.NOTHING

    def first_memory(self, batch: TrajectoryBatch, *, seed: int) -> Memory:  # noqa: ARG002
        """No coupling yet; for the energy form, places for the energies of two earlier steps."""
        states = batch.energies.shape[1]
        coupling = batch.energies.new_zeros(len(batch), states, states)
        if self.form == "gradient":
            return {_COUPLING: coupling}
        return {_COUPLING: coupling, _PAST: torch.stack((batch.energies, batch.energies), 1)}

    def propagate(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> ElectronicStep:
        """𝓡 from T at both ends of the step."""
        begin = recall(before, _COUPLING)
        memory = {}
        if self.form == "gradient":
            acceleration = (_slopes(after) - _slopes(before)) / timestep
        else:
            past = recall(before, _PAST)
            acceleration = _second_difference(before, after, past) / timestep**2
            memory = {_PAST: torch.stack((before.energies, past[:, 0]), 1)}
        end = self._coupling(after.energies, acceleration)
        weights = substep_weights(self.substeps, like=end)[:, None, None]
        made = propagate_coupled(
            before.energies,
            after.energies,
            couplings=begin[:, None] + weights * (end - begin)[:, None],
            timestep=timestep,
        )
        return ElectronicStep(
            propagator=made.propagator,
            path=made.path,
            memory={**memory, _COUPLING: end},
            may_hop=after.step > STEPS_WITHOUT_HOPS,
        )

    def _coupling(self, energies: Tensor, acceleration: Tensor) -> Tensor:
        """½√(ΔË/ΔE) of all pairs."""
        states = energies.shape[1]
        first, second = torch.triu_indices(states, states, offset=1, device=energies.device)
        gap = energies[:, second] - energies[:, first]
        bend = acceleration[:, second] - acceleration[:, first]
        coupled = (gap > 0) & (bend > 0)
        if self.gap_threshold is not None:
            coupled = coupled & (gap <= self.gap_threshold)
        ratio = torch.where(coupled, bend, 0.0) / torch.where(coupled, gap, 1.0)
        return antisymmetric(0.5 * ratio.sqrt(), states=states)


def _slopes(batch: TrajectoryBatch) -> Float64[Tensor, "traj state"]:
    """Ė_i = −F_i·v."""
    return -(batch.forces * batch.velocities[:, None]).flatten(2).sum(2)


def _second_difference(
    before: TrajectoryBatch, after: TrajectoryBatch, past: Float64[Tensor, "traj 2 state"]
) -> Float64[Tensor, "traj state"]:
    """dt² Ë at t + dt: of four points where there are so many, of three, or zero."""
    three = after.energies - 2.0 * before.energies + past[:, 0]
    four = 2.0 * after.energies - 5.0 * before.energies + 4.0 * past[:, 0] - past[:, 1]
    step = after.step[:, None]
    return torch.where(step >= 3, four, torch.where(step == 2, three, 0.0))

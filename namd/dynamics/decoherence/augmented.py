r"""Augmented surface hopping (A-FSSH): decoherence from wave packets that move apart, no parameter.

Every state n carries the displacement δR_n and δP_n of its wave packet from that of the active
state a, moved by the difference of the forces, weighted with the population σ_n = |c_n(t)|²,

.. math::

    \delta R_n \leftarrow \delta R_n + \frac{\delta P_n}{M} dt
        + \frac{\sigma_n}{2M} (F_n - F_a)\, dt^2, \qquad
    \delta P_n \leftarrow \delta P_n
        + \frac{\sigma_n}{2} [(F_n - F_a)_t + (F_n - F_a)_{t+dt}]\, dt,

and handed over to the states of t + dt by :math:`|S_{jn}|^2`, S being the overlap of the states
before and after the step. With one uniform number r per step and

.. math::

    g_n = \tfrac12 (F_n - F_a)\cdot\delta R_n, \qquad
    k_n = 2\, \Big|h_v \frac{\delta R_n\cdot v}{v\cdot v}\Big|,

:math:`h_v = v\cdot h_{an}`, the coupling along the velocity, being :math:`(S^T E(t) S)_{an}/dt`:

* r < dt (g_n − k_n): state n collapses, c_n ← 0, its displacement is forgotten, and c_a takes over
  the population;
* r < −dt g_n: the displacement alone is forgotten (the packets approach each other);
* all displacements are forgotten at an accepted hop.

References
----------
A. Jain, E. Alguire, J. E. Subotnik, J. Chem. Theory Comput. 12 (2016) 5256,
DOI 10.1021/acs.jctc.6b00673; the method after J. E. Subotnik, N. Shenvi, J. Chem. Phys. 134 (2011)
024105, DOI 10.1063/1.3506779.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch, recall
from namd.dynamics.decoherence.protocol import StepCircumstances
from namd.dynamics.electronic.orthogonal import nearest_orthogonal
from namd.dynamics.random_numbers import uniform
from namd.potentials.protocol import Needs
from namd.random import Stream

_POSITIONS, _MOMENTA = "displacement_positions", "displacement_momenta"

Displacements = Float64[Tensor, "traj state atom 3"]


@dataclass(frozen=True)
class AugmentedDecoherence:
    """Collapse and reset by displacements of the wave packets of all states."""

    needs: ClassVar[Needs] = Needs.BASIS | Needs.FORCES

    def first_memory(self, batch: TrajectoryBatch, *, seed: int) -> Memory:  # noqa: ARG002
        """No displacement."""
        nothing = torch.zeros_like(batch.forces)
        return {_POSITIONS: nothing, _MOMENTA: nothing.clone()}

    def damp(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, step: StepCircumstances
    ) -> TrajectoryBatch:
        """Move the displacements, then collapse and reset."""
        overlap = nearest_orthogonal(before.eigenvectors.mT @ after.eigenvectors)
        positions, momenta = _moved(before, after, overlap=overlap, step=step)
        approach, coupling = _rates(before, after, positions, overlap=overlap, step=step)
        number = uniform(
            after.trajectory_id, after.step, seed=step.seed, stream=Stream.DECOHERENCE
        )[:, None]
        hopped = step.accepted[:, None]
        collapse = (number < step.timestep * (approach - coupling)) & ~hopped
        forget = (collapse | (number < -step.timestep * approach) | hopped)[:, :, None, None]
        memory = {
            **after.memory,
            _POSITIONS: torch.where(forget, 0.0, positions),
            _MOMENTA: torch.where(forget, 0.0, momenta),
        }
        amplitudes = _collapsed(after.amplitudes, collapse, active_state=after.active_state)
        return replace(after, amplitudes=amplitudes, memory=memory)

    def describe(self) -> str:
        """Name; there is no parameter."""
        return "a-fssh"


def _moved(
    before: TrajectoryBatch,
    after: TrajectoryBatch,
    *,
    overlap: Float64[Tensor, "traj state state"],
    step: StepCircumstances,
) -> tuple[Displacements, Displacements]:
    """Displacements at t + dt in the states of t + dt, that of the active state being zero."""
    dt, masses = step.timestep, step.masses[:, None]
    share = (overlap * overlap).mT  # of state j before in state n after
    weight = before.amplitudes.abs().square()[:, :, None, None]
    begin = weight * _relative(before.forces, before.active_state)
    end = weight * _relative(_mixed(share.mT, after.forces), before.active_state)
    momenta = recall(before, _MOMENTA)
    positions = recall(before, _POSITIONS) + (momenta * dt + begin * (0.5 * dt * dt)) / masses
    momenta = momenta + (begin + end) * (0.5 * dt)
    state = after.active_state
    return (
        _relative(_mixed(share, positions), state),
        _relative(_mixed(share, momenta), state),
    )


def _rates(
    before: TrajectoryBatch,
    after: TrajectoryBatch,
    positions: Displacements,
    *,
    overlap: Float64[Tensor, "traj state state"],
    step: StepCircumstances,
) -> tuple[Float64[Tensor, "traj state"], Float64[Tensor, "traj state"]]:
    """g_n and k_n of the module docstring; both are zero for the active state."""
    forces = _relative(after.forces, after.active_state)
    approach = 0.5 * (forces * positions).flatten(2).sum(2)
    velocities = after.velocities[:, None]
    speed = velocities.square().flatten(2).sum(2)
    along = (positions * velocities).flatten(2).sum(2)
    earlier = (overlap.mT * before.energies[:, None, :]) @ overlap
    coupling = _row(earlier, after.active_state) / step.timestep
    moving = speed > 0
    strength = 2.0 * (coupling * along / torch.where(moving, speed, 1.0)).abs()
    return approach, torch.where(moving, strength, 0.0)


def _collapsed(
    amplitudes: Complex128[Tensor, "traj state"],
    collapse: Bool[Tensor, "traj state"],
    *,
    active_state: Int64[Tensor, " traj"],
) -> Complex128[Tensor, "traj state"]:
    """Give the population of the collapsing states to the active one, which keeps its phase."""
    active = active_state[:, None]
    collapse = collapse.scatter(1, active, False)
    parts = torch.view_as_real(amplitudes)
    population = parts.square().sum(2)
    gained = torch.where(collapse, population, 0.0).cumsum(1)[:, -1:]
    own = population.gather(1, active)
    defined = own > 0
    scale = torch.where(defined, (1.0 + gained / torch.where(defined, own, 1.0)).sqrt(), 1.0)
    factor = (~collapse).to(population).scatter(1, active, scale)
    result = torch.view_as_complex(parts * factor[:, :, None])
    # Without an amplitude of its own the active state has no phase to keep.
    fresh = torch.where(defined, result.gather(1, active), gained.sqrt().to(amplitudes.dtype))
    return result.scatter(1, active, fresh)


def _mixed(weights: Float64[Tensor, "traj state state"], values: Displacements) -> Displacements:
    """Σ_j w_nj x_j of one vector per state."""
    return (weights @ values.flatten(2)).view_as(values)


def _relative(values: Displacements, state: Int64[Tensor, " traj"]) -> Displacements:
    """Differences from the value of one state."""
    return values - _row(values, state)[:, None]


def _row(values: Tensor, state: Int64[Tensor, " traj"]) -> Tensor:
    """Entry ``state`` along axis 1 of each trajectory."""
    index = state.view(-1, *(1,) * (values.ndim - 1)).expand(-1, 1, *values.shape[2:])
    return values.gather(1, index).squeeze(1)

r"""One time step of surface hopping for a whole batch, as a pure function.

Order inside a step from t to t + dt::

    R' = R + v dt + M⁻¹F_a dt²/2             velocity Verlet
    E', F'_a, U'  ← potential(R', a)         one forward pass, one vector–Jacobian product, and
                                             what else the methods need; signs continue
    v' = v + M⁻¹(F_a + F'_a) dt/2
    c' = 𝓡 c                                 electronic propagation, in the adiabatic basis
    P_{a→b}, r → b                           hop probability and one uniform number
    v' → v'' along D, or rejected            only for trajectories that try to hop
    F'_a → F'_b                              the new state's force from the next half-kick on
    c' → c''                                 decoherence with the new a and kinetic energy
    guards                                   a tripped trajectory goes back to t and is parked;
                                             one outside the trust region is parked where it is

A method in hindsight (:mod:`namd.dynamics.look_ahead`) hops at t, knowing t + dt, instead of the
lines from c' to c''; one with spheres (:mod:`namd.dynamics.spheres`) turns these instead of c.

========= ============================ =========== ================================
symbol    name                         symbol      name
========= ============================ =========== ================================
R, v, M   positions, velocities,       E, U        energies, eigenvectors
          masses
F_a       force (of the active state)  c, a        amplitudes, active_state
𝓡         propagator                   D           direction of the momentum change
========= ============================ =========== ================================

Reference: J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, choose
from namd.dynamics.decoherence.protocol import StepCircumstances
from namd.dynamics.hop import HopRecord, attempt_hops
from namd.dynamics.hopping.protocol import ElectronicChange, HopBySpheres, HopInHindsight
from namd.dynamics.hopping.selection import select_state
from namd.dynamics.look_ahead import hop_in_hindsight
from namd.dynamics.nuclei import move_nuclei
from namd.dynamics.options import StepOptions
from namd.dynamics.random_numbers import uniform
from namd.dynamics.spheres import hop_by_spheres
from namd.dynamics.status import Reason, Status
from namd.potentials.protocol import Potential
from namd.random import Stream

__all__ = ["HopRecord", "StepOptions", "StepResult", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step returns.

    Parameters
    ----------
    batch
        The trajectories at t + dt.
    hops
        One row per trajectory: the hop it tried in this step, if any.
    overflow
        True if more trajectories tried to hop than ``hop_capacity`` has places: this result (and
        everything made from it) is to be thrown away and redone with a larger capacity.
    """

    batch: TrajectoryBatch
    hops: HopRecord
    overflow: Bool[Tensor, ""]


def step(batch: TrajectoryBatch, potential: Potential, options: StepOptions) -> StepResult:
    """Advance every active trajectory by one time step.

    Trajectories that are finished or parked come out unchanged, bit for bit; one that is parked
    by a guard in this step comes out as it went in, with its status and reason. Outside the trust
    region nothing is wrong with its numbers but what they are worth: such a one is parked at the
    geometry that is to be labelled. No trajectory's numbers depend on another's.

    Parameters
    ----------
    batch
        Trajectories at t.
    potential
        Electronic structure.
    options
        Time step, masses, seed and strategies.

    Returns
    -------
    The trajectories at t + dt and their hop attempts.
    """
    alive = batch.status == Status.ACTIVE
    moved = move_nuclei(batch, potential, options)
    if isinstance(options.hopping, HopInHindsight):
        result, hops, overflow = hop_in_hindsight(batch, moved, potential, options)
    elif isinstance(options.hopping, HopBySpheres):
        result, hops, overflow = hop_by_spheres(batch, moved, potential, options)
    else:
        result, hops, overflow = _hop_by_amplitudes(batch, moved, potential, options)
    result, undone = _guard(batch, result, options)
    return StepResult(
        batch=choose(alive, result, batch),
        hops=replace(hops, attempted=hops.attempted & ~undone, accepted=hops.accepted & ~undone),
        overflow=overflow,
    )


def _hop_by_amplitudes(
    before: TrajectoryBatch, after: TrajectoryBatch, potential: Potential, options: StepOptions
) -> tuple[TrajectoryBatch, HopRecord, Bool[Tensor, ""]]:
    """Propagate amplitudes, hop at t + dt where they say so, and damp them."""
    moved, target = _propagate_electrons(before, after, options)
    alive = before.status == Status.ACTIVE
    hopped, hops, overflow = attempt_hops(
        moved, potential, options, target=torch.where(alive, target, moved.active_state)
    )
    circumstances = StepCircumstances(
        attempted=hops.attempted,
        accepted=hops.accepted,
        masses=options.masses,
        timestep=options.timestep,
        seed=options.seed,
    )
    damped = options.decoherence.damp(before, hopped, step=circumstances)
    return damped, hops, overflow


def _propagate_electrons(
    before: TrajectoryBatch, after: TrajectoryBatch, options: StepOptions
) -> tuple[TrajectoryBatch, Int64[Tensor, " traj"]]:
    """Amplitudes at t + dt, and the state each trajectory tries to be in."""
    made = options.propagation.propagate(before, after, timestep=options.timestep)
    amplitudes = (made.propagator @ before.amplitudes.unsqueeze(-1)).squeeze(-1)
    probabilities = options.probability.probabilities(
        ElectronicChange(
            amplitudes_before=before.amplitudes,
            amplitudes_after=amplitudes,
            propagator=made.propagator,
            active_state=before.active_state,
            path=made.path,
        )
    )
    number = uniform(after.trajectory_id, after.step, seed=options.seed, stream=Stream.HOP)
    target = select_state(probabilities, number, active_state=before.active_state)
    if made.may_hop is not None:
        target = torch.where(made.may_hop, target, before.active_state)
    memory = {**after.memory, **made.memory}
    return replace(after, amplitudes=amplitudes, memory=memory), target


def _guard(
    before: TrajectoryBatch, after: TrajectoryBatch, options: StepOptions
) -> tuple[TrajectoryBatch, Bool[Tensor, " traj"]]:
    """Park every trajectory that trips a guard, and tell whose step is undone.

    All go back to ``before`` but those that only left the trust region.
    """
    reason = torch.full_like(after.reason, Reason.NONE)
    for guard in options.guards:
        tripped = guard.trips(before, after, masses=options.masses)
        reason = torch.where((reason == Reason.NONE) & tripped, int(guard.reason), reason)
    parked = reason != Reason.NONE
    undone = parked & (reason != Reason.OUTSIDE_TRUST_REGION)
    last = choose(undone, before, after)
    stopped = replace(last, status=torch.full_like(last.status, Status.PARKED), reason=reason)
    return choose(parked, stopped, after), undone

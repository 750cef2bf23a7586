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
    guards                                   a tripped trajectory goes back to t and is parked

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

from namd.dynamics.batch import TrajectoryBatch, choose, kinetic_energy, surface_fields
from namd.dynamics.gauge import continue_signs
from namd.dynamics.hop import HopRecord, attempt_hops
from namd.dynamics.hopping.protocol import ElectronicChange
from namd.dynamics.hopping.selection import select_state
from namd.dynamics.options import StepOptions
from namd.dynamics.random_numbers import uniform
from namd.dynamics.status import Reason, Status
from namd.errors import DataError
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
    by a guard in this step comes out as it went in, with its status and reason. No trajectory's
    numbers depend on another's.

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
    moved = _move_nuclei(batch, potential, options)
    moved, target = _propagate_electrons(batch, moved, options)
    hopped, hops, overflow = attempt_hops(
        moved, potential, options, target=torch.where(alive, target, moved.active_state)
    )
    damped = replace(
        hopped,
        amplitudes=options.decoherence.damp(
            hopped.amplitudes,
            active_state=hopped.active_state,
            energies=hopped.energies,
            kinetic_energy=kinetic_energy(hopped, options.masses),
            timestep=options.timestep,
        ),
    )
    result, parked = _guard(batch, damped, options)
    return StepResult(
        batch=choose(alive, result, batch),
        hops=replace(hops, attempted=hops.attempted & ~parked, accepted=hops.accepted & ~parked),
        overflow=overflow,
    )


def _move_nuclei(
    batch: TrajectoryBatch, potential: Potential, options: StepOptions
) -> TrajectoryBatch:
    """Velocity Verlet on the active surface; amplitudes are still those of t."""
    dt, alive = options.timestep, (batch.status == Status.ACTIVE)[:, None, None]
    acceleration = batch.force / options.masses[:, None]
    positions = batch.positions + batch.velocities * dt + acceleration * (0.5 * dt * dt)
    positions = torch.where(alive, positions, batch.positions)
    surfaces = potential.surfaces(positions, batch.active_state, needs=options.needs)
    acceleration = acceleration + surfaces.force / options.masses[:, None]
    moved = replace(
        batch,
        positions=positions,
        velocities=batch.velocities + acceleration * (0.5 * dt),
        **surface_fields(surfaces),
        step=batch.step + 1,
    )
    _refuse_unprepared(batch, moved)
    return continue_signs(batch, moved)


def _refuse_unprepared(before: TrajectoryBatch, after: TrajectoryBatch) -> None:
    """Refuse trajectories that were started for methods with other needs."""
    for name in ("eigenvectors", "couplings", "forces"):
        if getattr(before, name).shape != getattr(after, name).shape:
            raise DataError(
                f"the trajectories were started for other methods: {name} do not fit",
                where="trajectory batch",
                hint="start them with the options of their steps: start(…, options=options)",
            )


def _propagate_electrons(
    before: TrajectoryBatch, after: TrajectoryBatch, options: StepOptions
) -> tuple[TrajectoryBatch, Int64[Tensor, " traj"]]:
    """Amplitudes at t + dt, and the state each trajectory tries to be in."""
    made = options.electronic.propagate(before, after, timestep=options.timestep)
    amplitudes = (made.propagator @ before.amplitudes.unsqueeze(-1)).squeeze(-1)
    probabilities = options.hopping.probabilities(
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
    """Send every trajectory that trips a guard back to ``before``, parked with its reason."""
    reason = torch.full_like(after.reason, Reason.NONE)
    for guard in options.guards:
        tripped = guard.trips(before, after, masses=options.masses)
        reason = torch.where((reason == Reason.NONE) & tripped, int(guard.reason), reason)
    parked = reason != Reason.NONE
    stopped = replace(before, status=torch.full_like(before.status, Status.PARKED), reason=reason)
    return choose(parked, stopped, after), parked

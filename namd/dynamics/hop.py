"""The hops of one step: who tries, who may, and what happens to the nuclei.

Couplings and new-state forces are asked for only where a trajectory tries to hop. On a CPU the
exact subset is taken; with a ``capacity`` a bucket of fixed size is filled instead (hopping rows
first), so that no shape depends on a number the host would have to wait for.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, kinetic_energy
from namd.dynamics.momentum.rescale import rescale
from namd.dynamics.options import StepOptions
from namd.potentials.protocol import Potential


@dataclass(frozen=True, slots=True, kw_only=True)
class HopRecord:
    """The hop each trajectory tried in a step.

    Parameters
    ----------
    attempted
        Whether a hop was drawn at all; the other fields mean nothing where it was not.
    accepted
        Whether the kinetic energy along the direction sufficed.
    from_state, to_state
        Active state before, and state drawn.
    gap
        |E_to − E_from|, Hartree.
    kinetic_energy
        Before the hop, Hartree.
    step, positions
        When and where, Bohr: in most methods at the end of the step.
    """

    attempted: Bool[Tensor, " traj"]
    accepted: Bool[Tensor, " traj"]
    from_state: Int64[Tensor, " traj"]
    to_state: Int64[Tensor, " traj"]
    gap: Float64[Tensor, " traj"]
    kinetic_energy: Float64[Tensor, " traj"]
    step: Int64[Tensor, " traj"]
    positions: Float64[Tensor, "traj atom 3"]


def attempt_hops(
    batch: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    target: Int64[Tensor, " traj"],
) -> tuple[TrajectoryBatch, HopRecord, Bool[Tensor, ""]]:
    """Try to move every trajectory to its ``target`` state.

    Parameters
    ----------
    batch
        Trajectories before the hop.
    potential, options
        As for :func:`namd.dynamics.step.step`.
    target
        State drawn for each trajectory; the active one where there is no hop.

    Returns
    -------
    The batch after the hops, their record, and whether the bucket was too small.
    """
    energies = batch.energies
    from_energy = energies.gather(1, batch.active_state[:, None]).squeeze(1)
    released = from_energy - energies.gather(1, target[:, None]).squeeze(1)
    attempted = target != batch.active_state
    index = hopping_rows(attempted, capacity=options.hop_capacity)
    accepted = torch.zeros_like(attempted)
    hopped = batch
    if len(index):
        hopped, accepted = _hop_rows(
            batch,
            potential,
            options,
            index=index,
            target=target,
            released=released,
            attempted=attempted,
        )
    record = HopRecord(
        attempted=attempted,
        accepted=accepted,
        from_state=batch.active_state,
        to_state=target,
        gap=released.abs(),
        kinetic_energy=kinetic_energy(batch, options.masses),
        step=batch.step,
        positions=batch.positions,
    )
    return hopped, record, attempted.sum() > len(index)


def hopping_rows(
    attempted: Bool[Tensor, " traj"], *, capacity: int | None
) -> Int64[Tensor, " row"]:
    """Rows whose hop is worked out: the exact subset, or a bucket of ``capacity`` places.

    A bucket is filled with the first hopping rows, then with others that do not hop.
    """
    if capacity is None:
        return attempted.nonzero().squeeze(1)
    return torch.sort((~attempted).to(torch.int8), stable=True).indices[:capacity]


def _hop_rows(
    batch: TrajectoryBatch,
    potential: Potential,
    options: StepOptions,
    *,
    index: Int64[Tensor, " row"],
    target: Int64[Tensor, " traj"],
    released: Float64[Tensor, " traj"],
    attempted: Bool[Tensor, " traj"],
) -> tuple[TrajectoryBatch, Bool[Tensor, " traj"]]:
    """Work out the hops of some rows and write them back; rows that do not hop stay as they are."""
    positions, velocities = batch.positions[index], batch.velocities[index]
    state, goal, trying = batch.active_state[index], target[index], attempted[index]
    direction = options.rescaling.direction(
        potential, positions, velocities, masses=options.masses, first=state, second=goal
    )
    new_force = potential.force(positions, goal)
    direction = options.rescaling.completed(
        direction,
        difference=new_force - batch.force[index],
        positions=positions,
        masses=options.masses,
    )
    rescaled, allowed = rescale(
        velocities,
        direction,
        masses=options.masses,
        released=released[index],
        available=options.rescaling.available(positions.shape[1]),
    )
    refused = options.frustrated.velocities(
        velocities, direction, masses=options.masses, target_force=new_force
    )
    accepted = trying & allowed
    frustrated = trying & ~allowed
    velocities = torch.where(accepted[:, None, None], rescaled, velocities)
    velocities = torch.where(frustrated[:, None, None], refused, velocities)
    force = torch.where(accepted[:, None, None], new_force, batch.force[index])
    last_hop = torch.where(accepted, batch.step[index], batch.last_hop_step[index])
    hopped = replace(
        batch,
        velocities=batch.velocities.index_copy(0, index, velocities),
        active_state=batch.active_state.index_copy(0, index, torch.where(accepted, goal, state)),
        force=batch.force.index_copy(0, index, force),
        last_hop_step=batch.last_hop_step.index_copy(0, index, last_hop),
    )
    return hopped, torch.zeros_like(attempted).index_copy(0, index, accepted)

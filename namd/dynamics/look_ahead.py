"""Hops that are known one step late: look ahead, go back, hop, and make the step again.

That t was the minimum of a gap is seen only at t + dt. The step to t + dt is therefore made first;
trajectories that hop at t are then taken back there, given their new momentum and the force of
their new state, and moved once more. The others keep the step they have made: it costs one
evaluation more for those that hop and nothing for those that do not. Every trajectory has one
random number per step, drawn before anybody goes back.

Reference: J. Suchan, J. Janoš, P. Slavíček, J. Chem. Theory Comput. 16 (2020) 5809,
DOI 10.1021/acs.jctc.0c00512.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, choose, put_rows, select
from namd.dynamics.hop import HopRecord, attempt_hops, hopping_rows
from namd.dynamics.hopping.protocol import HopInHindsight
from namd.dynamics.hopping.selection import select_state
from namd.dynamics.nuclei import move_nuclei
from namd.dynamics.options import StepOptions
from namd.dynamics.random_numbers import uniform
from namd.dynamics.status import Status
from namd.errors import ConfigError
from namd.potentials.protocol import Potential
from namd.random import Stream


def hop_in_hindsight(
    before: TrajectoryBatch, after: TrajectoryBatch, potential: Potential, options: StepOptions
) -> tuple[TrajectoryBatch, HopRecord, Bool[Tensor, ""]]:
    """Trajectories at t + dt of which some hopped at t.

    Parameters
    ----------
    before
        Trajectories at t.
    after
        The same at t + dt, if nobody hops.
    potential, options
        As for :func:`namd.dynamics.step.step`.

    Returns
    -------
    The trajectories at t + dt, each with c the unit vector of its active state; the hops tried
    at t; and whether the bucket was too small.
    """
    rule = options.hopping
    if not isinstance(rule, HopInHindsight):
        raise ConfigError("this method does not hop in hindsight", where=f"hopping = {rule}")
    probabilities = rule.hindsight(before, after, timestep=options.timestep)
    number = uniform(after.trajectory_id, after.step, seed=options.seed, stream=Stream.HOP)
    target = select_state(probabilities, number, active_state=before.active_state)
    alive = before.status == Status.ACTIVE
    turned, hops, overflow = attempt_hops(
        before, potential, options, target=torch.where(alive, target, before.active_state)
    )
    index = hopping_rows(hops.attempted, capacity=options.hop_capacity)
    if len(index):
        again = move_nuclei(select(turned, index), potential, options)
        rows = choose(hops.attempted[index], again, select(after, index))
        after = put_rows(after, index, rows)
    unit = torch.nn.functional.one_hot(after.active_state, after.energies.shape[1])
    memory = {**after.memory, **rule.next_memory(before)}
    return replace(after, amplitudes=unit.to(after.amplitudes), memory=memory), hops, overflow

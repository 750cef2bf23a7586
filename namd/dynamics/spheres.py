"""Hops that follow a method's own electronic variables, spheres, instead of amplitudes.

Spheres are turned by the propagation of the run, pair by pair; a hop is tried where one says so,
and the spheres then learn which state the trajectory is in and whether the hop was refused. No
amplitudes are kept: c is the unit vector of the active state, and nothing is drawn at random.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.hop import HopRecord, attempt_hops
from namd.dynamics.hopping.protocol import HopBySpheres
from namd.dynamics.options import StepOptions
from namd.dynamics.status import Status
from namd.errors import ConfigError
from namd.potentials.protocol import Potential


def hop_by_spheres(
    before: TrajectoryBatch, after: TrajectoryBatch, potential: Potential, options: StepOptions
) -> tuple[TrajectoryBatch, HopRecord, Bool[Tensor, ""]]:
    """Trajectories at t + dt with their spheres, some of which hopped there.

    Parameters
    ----------
    before
        Trajectories at t.
    after
        Nuclei and surfaces at t + dt before any hop.
    potential, options
        As for :func:`namd.dynamics.step.step`.

    Returns
    -------
    The trajectories at t + dt, the hops tried, and whether the bucket was too small.

    Raises
    ------
    ConfigError
        If the hopping method has no spheres.
    """
    rule = options.hopping
    if not isinstance(rule, HopBySpheres):
        raise ConfigError("this method has no spheres", where=f"hopping = {rule}")
    turned = rule.turn(before, after, propagation=options.propagation, timestep=options.timestep)
    alive = before.status == Status.ACTIVE
    hopped, hops, overflow = attempt_hops(
        after, potential, options, target=torch.where(alive, turned.target, before.active_state)
    )
    memory = rule.settle(
        turned,
        active_before=before.active_state,
        active_after=hopped.active_state,
        refused=hops.attempted & ~hops.accepted,
    )
    unit = torch.nn.functional.one_hot(hopped.active_state, hopped.energies.shape[1])
    settled = replace(
        hopped,
        amplitudes=unit.to(hopped.amplitudes),
        memory={**hopped.memory, **memory},
    )
    return settled, hops, overflow

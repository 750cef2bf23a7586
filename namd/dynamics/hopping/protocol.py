"""What the step asks of a hopping method."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch
from namd.dynamics.electronic.protocol import ElectronicPropagation, SubstepPath


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronicChange:
    """What happened to the electrons between t and t + dt, before decoherence.

    Parameters
    ----------
    amplitudes_before, amplitudes_after
        c(t) and c(t+dt).
    propagator
        𝓡 with c(t+dt) = 𝓡 c(t).
    active_state
        State a of the step.
    path
        The way through the substeps, where the propagation has a time-derivative coupling.
    """

    amplitudes_before: Complex128[Tensor, "traj state"]
    amplitudes_after: Complex128[Tensor, "traj state"]
    propagator: Complex128[Tensor, "traj state state"]
    active_state: Int64[Tensor, " traj"]
    path: SubstepPath | None = None


@runtime_checkable
class HopProbability(Protocol):
    """Gives the probability to leave the active state for each other one in this step."""

    def probabilities(self, change: ElectronicChange) -> Float64[Tensor, "traj state"]:
        """P_{a→b}: non-negative, zero for b = a, summing to at most one."""
        ...


@runtime_checkable
class HopInHindsight(Protocol):
    """Gives the probability to have left the active state at t once t + dt is known.

    Such a method needs no amplitudes: trajectories that hop go back to t
    (:mod:`namd.dynamics.look_ahead`).
    """

    def hindsight(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> Float64[Tensor, "traj state"]:
        """P_{a→b} of a hop at t: non-negative, zero for b = a, summing to at most one.

        Parameters
        ----------
        before, after
            Trajectories at t, and at t + dt if nobody hops.
        timestep
            dt, atomic units.
        """
        ...

    def next_memory(self, before: TrajectoryBatch) -> Memory:
        """What the method remembers at t + dt of the trajectories at t."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpheresTurned:
    """Spheres of a step between the motion of the nuclei and the hop.

    Parameters
    ----------
    spheres
        S^(a,b) at t + dt in row b; a and b are states of t.
    followed
        The state at t + dt that continues each state of t.
    partner
        State of t whose sphere asks for a hop; a where none does.
    target
        State at t + dt to be in: the continuation of ``partner``.
    """

    spheres: Float64[Tensor, "traj state 3"]
    followed: Int64[Tensor, "traj state"]
    partner: Int64[Tensor, " traj"]
    target: Int64[Tensor, " traj"]


@runtime_checkable
class HopBySpheres(Protocol):
    """Hops where one of its own electronic variables, a sphere per pair of states, says so.

    Such a method keeps no amplitudes (:mod:`namd.dynamics.spheres`).
    """

    def turn(
        self,
        before: TrajectoryBatch,
        after: TrajectoryBatch,
        *,
        propagation: ElectronicPropagation,
        timestep: float,
    ) -> SpheresTurned:
        """Turn the spheres from t to t + dt, before any hop.

        Parameters
        ----------
        before, after
            Trajectories at t, and their nuclei and surfaces at t + dt.
        propagation
            Gives the propagator of each pair of states.
        timestep
            dt, atomic units.
        """
        ...

    def settle(
        self,
        turned: SpheresTurned,
        *,
        active_before: Int64[Tensor, " traj"],
        active_after: Int64[Tensor, " traj"],
        refused: Bool[Tensor, " traj"],
    ) -> Memory:
        """What the method remembers at t + dt, once it is known who hopped."""
        ...


def bounded(
    raw: Float64[Tensor, "traj state"], *, active_state: Int64[Tensor, " traj"]
) -> Float64[Tensor, "traj state"]:
    """Make probabilities of raw ones: none to stay, none negative or NaN, at most one in all."""
    others = raw.scatter(1, active_state[:, None], 0.0)
    positive = torch.where(others > 0, others, 0.0)
    total = positive.cumsum(1)[:, -1:]
    return positive / torch.where(total > 1, total, 1.0)

"""What the step asks of a method that propagates amplitudes, and what it gets."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Complex128, Float64
from torch import Tensor

from namd.dynamics.batch import Memory, TrajectoryBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class SubstepPath:
    """How a method with a time-derivative coupling went through one nuclear step.

    Parameters
    ----------
    factors
        Propagator of every substep, up to a phase common to all states.
    couplings
        T_ij = ⟨i|∂_t j⟩ of every substep, inverse atomic units of time.
    duration
        τ, length of a substep, atomic units of time.
    """

    factors: Complex128[Tensor, "traj substep state state"]
    couplings: Float64[Tensor, "traj substep state state"]
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronicStep:
    """What a method made of one nuclear step.

    Parameters
    ----------
    propagator
        𝓡 with c(t+dt) = 𝓡 c(t), from the basis of t to the basis of t + dt, unitary.
    path
        The way there, where the method has a time-derivative coupling: what rates are made of.
    memory
        What the method remembers at t + dt.
    may_hop
        False for trajectories whose coupling is not known yet; none: all may.
    """

    propagator: Complex128[Tensor, "traj state state"]
    path: SubstepPath | None = None
    memory: Memory = field(default_factory=dict)
    may_hop: Bool[Tensor, " traj"] | None = None


@runtime_checkable
class ElectronicPropagation(Protocol):
    """Gives the propagator 𝓡 of the amplitudes over one nuclear step.

    A method that needs more of the surfaces, or remembers earlier steps, declares it as
    :mod:`namd.dynamics.demands` says.
    """

    def propagate(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> ElectronicStep:
        """𝓡 between two batches.

        Parameters
        ----------
        before
            Trajectories at t, after the hop and the decoherence of the step before.
        after
            Nuclei and surfaces at t + dt before any hop; amplitudes are still those of t. The signs
            of the states continue those of ``before``.
        timestep
            dt, atomic units.
        """
        ...

"""What the step asks of a momentum change: a direction, and what a refused hop does."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float64, Int64
from torch import Tensor

from namd.potentials.protocol import Potential


@runtime_checkable
class MomentumRescaling(Protocol):
    """Gives the direction D along which a hop takes or releases kinetic energy."""

    def direction(
        self,
        potential: Potential,
        positions: Float64[Tensor, "traj atom 3"],
        velocities: Float64[Tensor, "traj atom 3"],
        *,
        masses: Float64[Tensor, " atom"],
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """D of the momentum change for a hop from ``first`` to ``second``; any sign and length."""
        ...

    def completed(
        self,
        direction: Float64[Tensor, "traj atom 3"],
        *,
        difference: Float64[Tensor, "traj atom 3"],  # noqa: ARG002  (strategies may look at it)
        positions: Float64[Tensor, "traj atom 3"],  # noqa: ARG002
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
    ) -> Float64[Tensor, "traj atom 3"]:
        """D where ``direction`` may vanish; ``difference`` is that of the forces of both states."""
        return direction

    def available(self, atoms: int) -> float:  # noqa: ARG002  (strategies may look at it)
        """Fraction of the kinetic energy along D that a hop upwards may draw on: all of it."""
        return 1.0


@runtime_checkable
class FrustratedHop(Protocol):
    """Decides the velocities of a trajectory whose hop was refused for lack of energy."""

    def velocities(
        self,
        velocities: Float64[Tensor, "traj atom 3"],
        direction: Float64[Tensor, "traj atom 3"],
        *,
        masses: Float64[Tensor, " atom"],
        target_force: Float64[Tensor, "traj atom 3"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """Velocities after the refused hop.

        Parameters
        ----------
        velocities, direction, masses
            v, D and M.
        target_force
            F_b = −∇E_b of the state that could not be reached, Hartree/Bohr.
        """
        ...

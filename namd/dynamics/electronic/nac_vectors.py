r"""Propagation with derivative-coupling vectors: T_ij = v·d_ij, linear within the step.

.. math::

    \mathcal R = \prod_{k=1}^{n} \exp\{[-iH_k - T_k]\, dt/n\}, \qquad
    X_k = X(t) + \tfrac kn [X(t+dt) - X(t)] \quad (X = H, T),

H being the diagonal matrix of the adiabatic energies; T(t+dt) is made with the velocities of the
completed Verlet step, before any hop. It needs the couplings of all pairs in every step, and misses
a crossing narrower than a step, where d is a spike between two points: local diabatisation is the
better choice wherever states have a basis.

References
----------
J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170, equation 8;
M. Richter, P. Marquetand, J. González-Vázquez, I. Sola, L. González, J. Chem. Theory Comput. 7
(2011) 1253, DOI 10.1021/ct1007394 (product of exponentials).
"""

from dataclasses import dataclass
from typing import ClassVar

from namd.dynamics.batch import Memory, TrajectoryBatch, recall
from namd.dynamics.electronic.coupled import check_substeps, propagate_coupled, substep_weights
from namd.dynamics.electronic.protocol import ElectronicStep
from namd.dynamics.electronic.time_coupling import time_derivative_coupling
from namd.potentials.protocol import Needs

_REMEMBERED = "time_derivative_coupling"


@dataclass(frozen=True)
class NacVectors:
    """Propagation with derivative-coupling vectors.

    Parameters
    ----------
    substeps
        n, factors of the product per nuclear step.
    velocities_before_hop
        Whether T(t) is the one the step before ended with, made of the velocities before the hop,
        as in SHARC 2. By default it is made of the velocities a trajectory has at t.

    Raises
    ------
    ConfigError
        If there are no substeps.
    """

    substeps: int = 25
    velocities_before_hop: bool = False
    needs: ClassVar[Needs] = Needs.COUPLINGS

    def __post_init__(self) -> None:
        check_substeps(self.substeps)

    def first_memory(self, batch: TrajectoryBatch, *, seed: int) -> Memory:  # noqa: ARG002
        """T at step 0 where it will be used again, else nothing."""
        if not self.velocities_before_hop:
            return {}
        return {_REMEMBERED: time_derivative_coupling(batch)}

    def propagate(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> ElectronicStep:
        """𝓡 of the module docstring."""
        end = time_derivative_coupling(after)
        if self.velocities_before_hop:
            begin, memory = recall(before, _REMEMBERED), {_REMEMBERED: end}
        else:
            begin, memory = time_derivative_coupling(before), {}
        weights = substep_weights(self.substeps, like=end)[:, None, None]
        made = propagate_coupled(
            before.energies,
            after.energies,
            couplings=begin[:, None] + weights * (end - begin)[:, None],
            timestep=timestep,
        )
        return ElectronicStep(propagator=made.propagator, path=made.path, memory=memory)

"""Bare surface hopping: no decoherence correction.

Reference: J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170.
"""

from dataclasses import dataclass

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.decoherence.protocol import StepCircumstances


@dataclass(frozen=True)
class NoDecoherence:
    """Leaves the amplitudes alone."""

    def damp(
        self,
        before: TrajectoryBatch,  # noqa: ARG002  (protocol)
        after: TrajectoryBatch,
        *,
        step: StepCircumstances,  # noqa: ARG002
    ) -> TrajectoryBatch:
        """Unchanged trajectories."""
        return after

    def describe(self) -> str:
        """Name of the correction."""
        return "none"

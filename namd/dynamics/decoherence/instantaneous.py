"""Instantaneous decoherence: a hop puts the whole wave function on the active state.

After every accepted hop (ID-S), or after every attempted one (ID-A), all amplitudes but that of the
state the nuclei are on then are set to zero. There is no parameter and no time scale; coherence
lives from hop to hop.

Reference: T. Nelson, S. Fernandez-Alberti, A. E. Roitberg, S. Tretiak, J. Chem. Phys. 138 (2013)
224111, DOI 10.1063/1.4809568.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.decoherence.protocol import StepCircumstances
from namd.errors import ConfigError

MOMENTS = ("accepted", "attempted")


@dataclass(frozen=True)
class InstantaneousDecoherence:
    """Collapse onto the active state at a hop.

    Parameters
    ----------
    collapse
        After which hops: ``accepted`` ones only, or all ``attempted`` ones.

    Raises
    ------
    ConfigError
        If it is neither of the two.
    """

    collapse: Literal["accepted", "attempted"] = "accepted"

    def __post_init__(self) -> None:
        if self.collapse not in MOMENTS:
            raise ConfigError(
                f"expected one of: {', '.join(MOMENTS)}",
                where=f'decoherence collapse = "{self.collapse}"',
            )

    def damp(
        self,
        before: TrajectoryBatch,  # noqa: ARG002  (protocol)
        after: TrajectoryBatch,
        *,
        step: StepCircumstances,
    ) -> TrajectoryBatch:
        """Unit vector of the active state after such a hop; unchanged without one.

        The phase that is lost is common to all that is left.
        """
        unit = torch.nn.functional.one_hot(after.active_state, after.amplitudes.shape[1])
        hopped = step.attempted if self.collapse == "attempted" else step.accepted
        collapsed = torch.where(hopped[:, None], unit.to(torch.complex128), after.amplitudes)
        return replace(after, amplitudes=collapsed)

    def describe(self) -> str:
        """Name, and which hops collapse the wave function."""
        return f"instantaneous, collapse after every {self.collapse} hop"

"""Stop a trajectory where the potential does not trust itself.

What counts is what the potential says of its own error at the new geometry: the calibrated
deviation over the members of a committee, or what the features of a single model tell. Comparisons
are written so that NaN trips, too.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.status import Reason
from namd.errors import ConfigError
from namd.potentials.protocol import Needs


@dataclass(frozen=True, kw_only=True)
class TrustRegion:
    """Trips where an expected error is larger than allowed.

    Parameters
    ----------
    energy
        Largest deviation of the active state's energy, Hartree.
    gap
        Of its gap to any other state, Hartree.
    force
        Of the force that moved the nuclei, at the atom where it is largest, Hartree/Bohr.
    coupling
        The same of the couplings of the active state, Hartree/Bohr; infinite: not asked for.

    Raises
    ------
    ConfigError
        If a limit is not positive.
    """

    energy: float = float("inf")
    gap: float = float("inf")
    force: float = float("inf")
    coupling: float = float("inf")

    def __post_init__(self) -> None:
        for name in ("energy", "gap", "force", "coupling"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    "the limit of a deviation must be positive",
                    where=f"trust-region guard, {name} = {getattr(self, name)}",
                )

    @property
    def reason(self) -> Reason:
        """``OUTSIDE_TRUST_REGION``."""
        return Reason.OUTSIDE_TRUST_REGION

    @property
    def needs(self) -> Needs:
        """Deviations, and couplings where theirs are limited."""
        more = Needs.COUPLINGS if self.coupling < float("inf") else Needs.NOTHING
        return Needs.DEVIATION | more

    def trips(
        self,
        before: TrajectoryBatch,  # noqa: ARG002  (protocol)
        after: TrajectoryBatch,
        *,
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
    ) -> Bool[Tensor, " traj"]:
        """Rows with a deviation above its limit."""
        active, states = after.active_state[:, None], after.energies.shape[1]
        energy = after.energy_deviation.gather(1, active).squeeze(1)
        trusted = (energy <= self.energy) & (after.force_deviation <= self.force).all(1)
        first, second = torch.triu_indices(states, states, offset=1, device=active.device)
        other = (active != first) & (active != second)
        trusted = trusted & ((after.gap_deviation <= self.gap) | other).all(1)
        if self.coupling < float("inf"):
            trusted = trusted & ((after.coupling_deviation <= self.coupling) | other).all(1)
        outside: Tensor = ~trusted
        return outside

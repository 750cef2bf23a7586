"""Stop a trajectory that does not conserve its total energy.

A jump in one step betrays a discontinuous surface or too long a time step; a drift since the start
betrays many small ones. Comparisons are written so that NaN trips, too.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, total_energy
from namd.dynamics.status import Reason
from namd.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TotalEnergy:
    """Trips on a jump within one step or a drift since the start.

    Parameters
    ----------
    jump
        Largest allowed |E_tot(t+dt) − E_tot(t)|, Hartree.
    drift
        Largest allowed |E_tot(t+dt) − E_tot(0)|, Hartree.

    Raises
    ------
    ConfigError
        If a limit is not positive.
    """

    jump: float
    drift: float

    def __post_init__(self) -> None:
        for name, value in (("jump", self.jump), ("drift", self.drift)):
            if not value > 0:
                raise ConfigError(
                    "the limit of the total energy (Hartree) must be positive",
                    where=f"total-energy guard, {name} = {value}",
                )

    @property
    def reason(self) -> Reason:
        """``ENERGY_JUMP``."""
        return Reason.ENERGY_JUMP

    def trips(
        self,
        before: TrajectoryBatch,
        after: TrajectoryBatch,
        *,
        masses: Float64[Tensor, " atom"],
    ) -> Bool[Tensor, " traj"]:
        """Rows whose total energy changed by more than is allowed."""
        energy = total_energy(after, masses)
        within_jump = (energy - total_energy(before, masses)).abs() <= self.jump
        within_drift = (energy - after.initial_total_energy).abs() <= self.drift
        return ~(within_jump & within_drift)

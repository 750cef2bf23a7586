r"""Energy-based decoherence (EDC): amplitudes of inactive states decay with the gap.

.. math::

    \tau_{ba} = \frac{1}{|E_b - E_a|}\left(1 + \frac{C}{E_{kin}}\right), \qquad
    c_b \leftarrow c_b\, e^{-dt/2\tau_{ba}} \;\text{(population)}\;\text{or}\;
    c_b\, e^{-dt/\tau_{ba}} \;\text{(amplitude)}, \quad b \ne a,

then c_a is scaled to bring the norm back to one. Codes differ in whether τ is the lifetime of the
population or of the amplitude (twice as fast); both are offered and named.

Reference: G. Granucci, M. Persico, J. Chem. Phys. 126 (2007) 134114, DOI 10.1063/1.2715585;
C = 0.1 Hartree after C. Zhu, S. Nangia, A. W. Jasper, D. G. Truhlar,
J. Chem. Phys. 121 (2004) 7658, DOI 10.1063/1.1793991.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, kinetic_energy
from namd.dynamics.decoherence.protocol import StepCircumstances
from namd.errors import ConfigError

CONVENTIONS = ("population", "amplitude")


@dataclass(frozen=True)
class EnergyBasedDecoherence:
    """Granucci–Persico decoherence.

    Parameters
    ----------
    constant
        C in Hartree.
    convention
        Whether τ is the lifetime of the ``population`` or of the ``amplitude``.

    Raises
    ------
    ConfigError
        If C is negative or the convention is neither of the two.
    """

    constant: float = 0.1
    convention: Literal["population", "amplitude"] = "population"

    def __post_init__(self) -> None:
        if not self.constant >= 0:
            raise ConfigError(
                "the constant C (Hartree) must not be negative",
                where=f"decoherence constant = {self.constant}",
            )
        if self.convention not in CONVENTIONS:
            raise ConfigError(
                f"expected one of: {', '.join(CONVENTIONS)}",
                where=f'decoherence convention = "{self.convention}"',
            )

    def damp(
        self,
        before: TrajectoryBatch,  # noqa: ARG002  (protocol)
        after: TrajectoryBatch,
        *,
        step: StepCircumstances,
    ) -> TrajectoryBatch:
        """Amplitudes decay for dt, with the kinetic energy and the active state after the hop."""
        damped = self.damped(
            after.amplitudes,
            active_state=after.active_state,
            energies=after.energies,
            kinetic_energy=kinetic_energy(after, step.masses),
            timestep=step.timestep,
        )
        return replace(after, amplitudes=damped)

    def damped(
        self,
        amplitudes: Complex128[Tensor, "traj state"],
        *,
        active_state: Int64[Tensor, " traj"],
        energies: Float64[Tensor, "traj state"],
        kinetic_energy: Float64[Tensor, " traj"],
        timestep: float,
    ) -> Complex128[Tensor, "traj state"]:
        """Damped amplitudes of unit norm; unchanged where the nuclei stand still or c_a = 0."""
        active = active_state[:, None]
        gap = (energies - energies.gather(1, active)).abs()
        readiness = kinetic_energy / torch.where(
            kinetic_energy > 0, kinetic_energy + self.constant, 1.0
        )
        exponent = timestep if self.convention == "amplitude" else 0.5 * timestep
        decay = torch.exp(-exponent * gap * readiness[:, None])
        parts = torch.view_as_real(amplitudes) * decay[:, :, None]
        population = parts[..., 0] * parts[..., 0] + parts[..., 1] * parts[..., 1]
        others = population.scatter(1, active, 0.0).cumsum(1)[:, -1:]
        own = population.gather(1, active)
        scale = (1.0 - others) / torch.where(own > 0, own, 1.0)
        factor = torch.ones_like(energies).scatter(1, active, scale.clamp(min=0.0).sqrt())
        made = torch.view_as_complex(parts * factor[:, :, None])
        # c_a = 0 has no phase that could take up what the others lose.
        return torch.where(own > 0, made, amplitudes)

    def describe(self) -> str:
        """Name, constant and convention."""
        return f"edc, C = {self.constant} hartree, convention {self.convention}"

r"""Tully's fewest-switches rate, summed over the substeps of a nuclear step.

.. math::

    P_{a\to b} = \sum_k 2\,\tau\, T_{ab}(k)\, \mathrm{Re}[c_a^* c_b]_k / |c_a|^2_k

with the mean of both ends of each substep for the amplitudes; zero where the sum is negative,
renormalised where the sum over b exceeds one. It needs a method of propagation that has a
time-derivative coupling T, and amplitudes at every substep.

Reference: J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170, equations 14 to 19.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.hopping.protocol import ElectronicChange, bounded
from namd.errors import ConfigError


@dataclass(frozen=True)
class TullyRate:
    """Fewest switches with Tully's rate."""

    def probabilities(self, change: ElectronicChange) -> Float64[Tensor, "traj state"]:
        """P_{a→b} of the module docstring.

        Raises
        ------
        ConfigError
            If the propagation has no time-derivative coupling.
        """
        path = change.path
        if path is None:
            raise ConfigError(
                "Tully's rate needs a propagation with a time-derivative coupling",
                where="hopping = tully-rate",
                hint="take electronic nac-vectors, npi or curvature, or hopping finite-step",
            )
        active = change.active_state
        amplitudes = change.amplitudes_before
        before = _relative_coherence(amplitudes, active)
        index = active[:, None, None].expand(-1, 1, amplitudes.shape[1])
        total = torch.zeros_like(before)
        for k in range(path.factors.shape[1]):
            amplitudes = (path.factors[:, k] @ amplitudes.unsqueeze(-1)).squeeze(-1)
            after = _relative_coherence(amplitudes, active)
            row = path.couplings[:, k].gather(1, index).squeeze(1)  # T_ab for all b
            total = total + row * (before + after)
            before = after
        return bounded(total * path.duration, active_state=active)


def _relative_coherence(
    amplitudes: Complex128[Tensor, "traj state"], active: Int64[Tensor, " traj"]
) -> Float64[Tensor, "traj state"]:
    """Re[c_a* c_b]/|c_a|² for all b; zero where the active state is empty."""
    parts = torch.view_as_real(amplitudes)
    own = parts.gather(1, active[:, None, None].expand(-1, 1, 2))
    population = (own * own).sum(2)
    overlap = (parts * own).sum(2)
    occupied = population > 0
    return torch.where(occupied, overlap / torch.where(occupied, population, 1.0), 0.0)

"""Tully's three one-dimensional two-state models, the touchstones of surface hopping.

One particle of mass 2000 m_e moves along x; y and z are inert.

1. simple avoided crossing: W₁₁ = ±A(1 − e^{∓Bx}) for x ≷ 0, W₂₂ = −W₁₁, W₁₂ = C e^{−Dx²};
2. dual avoided crossing: W₁₁ = 0, W₂₂ = E₀ − A e^{−Bx²}, W₁₂ = C e^{−Dx²};
3. extended coupling with reflection: W₁₁ = A, W₂₂ = −A, W₁₂ = B e^{Cx} for x < 0 and
   B(2 − e^{−Cx}) for x > 0.

Reference: J. C. Tully, J. Chem. Phys. 93 (1990) 1061, DOI 10.1063/1.459170, section IV.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.errors import ConfigError
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.one_dimensional import one_dimensional

MASS = 2000.0
"""Of the particle, electron masses."""

Curve = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""x ``[traj]`` → (W₁₁, W₁₂, W₂₂) or their derivatives with respect to x."""

NAMES = ("simple avoided crossing", "dual avoided crossing", "extended coupling")
PARAMETERS: tuple[dict[str, float], ...] = (
    {"A": 0.01, "B": 1.6, "C": 0.005, "D": 1.0},
    {"A": 0.1, "B": 0.28, "C": 0.015, "D": 0.06, "E0": 0.05},
    {"A": 6e-4, "B": 0.1, "C": 0.9},
)


def tully(model: int) -> DiabaticPotential:
    """Tully's model 1, 2 or 3.

    Parameters
    ----------
    model
        1 simple avoided crossing, 2 dual avoided crossing, 3 extended coupling with reflection.

    Raises
    ------
    ConfigError
        For any other number.

    Examples
    --------
    >>> tully(1).name
    'tully-1 (simple avoided crossing)'
    """
    if model not in (1, 2, 3):
        raise ConfigError("expected 1, 2 or 3", where=f"Tully model = {model}")
    values, slopes = ((_sac, _sac_slope), (_dac, _dac_slope), (_ecr, _ecr_slope))[model - 1]
    return one_dimensional(
        name=f"tully-{model} ({NAMES[model - 1]})",
        mass=MASS,
        states=2,
        values=lambda x: _assemble(values(x)),
        slopes=lambda x: _assemble(slopes(x)),
        parameters=tuple(PARAMETERS[model - 1].items()),
    )


def _assemble(curves: tuple[Tensor, Tensor, Tensor]) -> Float64[Tensor, "traj 2 2"]:
    """Put three curves into a symmetric matrix."""
    a, b, d = curves
    return torch.stack((torch.stack((a, b), 1), torch.stack((b, d), 1)), 2)


def _sac(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = PARAMETERS[0]
    wing = torch.sign(x) * p["A"] * (1.0 - torch.exp(-p["B"] * x.abs()))
    return wing, p["C"] * torch.exp(-p["D"] * x * x), -wing


def _sac_slope(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = PARAMETERS[0]
    wing = p["A"] * p["B"] * torch.exp(-p["B"] * x.abs())
    return wing, -2.0 * p["D"] * x * p["C"] * torch.exp(-p["D"] * x * x), -wing


def _dac(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = PARAMETERS[1]
    well = p["E0"] - p["A"] * torch.exp(-p["B"] * x * x)
    return torch.zeros_like(x), p["C"] * torch.exp(-p["D"] * x * x), well


def _dac_slope(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = PARAMETERS[1]
    well = 2.0 * p["B"] * x * p["A"] * torch.exp(-p["B"] * x * x)
    return torch.zeros_like(x), -2.0 * p["D"] * x * p["C"] * torch.exp(-p["D"] * x * x), well


def _ecr(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = PARAMETERS[2]
    tail = torch.exp(-p["C"] * x.abs())
    level = torch.full_like(x, p["A"])
    return level, p["B"] * torch.where(x < 0, tail, 2.0 - tail), -level


def _ecr_slope(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    p = PARAMETERS[2]
    flat = torch.zeros_like(x)
    return flat, p["B"] * p["C"] * torch.exp(-p["C"] * x.abs()), flat

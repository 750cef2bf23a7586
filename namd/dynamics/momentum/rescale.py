r"""Change the velocities along a direction so that a hop conserves the total energy.

With D the direction of the momentum change, A = Σ D²/2M and B = Σ v·D::

    Δ = 4A (E_a − E_b) + B²            the hop is refused if Δ < 0
    f = (B + √Δ)/2A   if B < 0,        else (B − √Δ)/2A
    v' = v − f D/M

the root with the smaller change. E_a and E_b are those of the hop's geometry. Length and sign of D
do not matter; the momentum perpendicular to D is kept. B²/4A is the kinetic energy along D; where
only the fraction s of it may be drawn on, the hop is refused if 4A (E_a − E_b) + s B² < 0.

Reference: E. Fabiano, T. W. Keal, W. Thiel, Chem. Phys. 349 (2008) 334,
DOI 10.1016/j.chemphys.2008.01.044.
"""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor


def rescale(
    velocities: Float64[Tensor, "traj atom 3"],
    direction: Float64[Tensor, "traj atom 3"],
    *,
    masses: Float64[Tensor, " atom"],
    released: Float64[Tensor, " traj"],
    available: float = 1.0,
) -> tuple[Float64[Tensor, "traj atom 3"], Bool[Tensor, " traj"]]:
    """Velocities after an energy-conserving hop, and whether there is one.

    Parameters
    ----------
    velocities
        v before the hop.
    direction
        D; a hop along a vanishing D is refused.
    masses
        M.
    released
        E_a − E_b, Hartree: positive for a hop downwards.
    available
        s in (0, 1], the fraction of the kinetic energy along D that a hop upwards may draw on.

    Returns
    -------
    New velocities (meaningful only where allowed) and the mask of allowed hops.
    """
    change = direction / masses[:, None]
    a = 0.5 * (direction * change).sum((1, 2))
    b = (velocities * direction).sum((1, 2))
    gain = 4.0 * a * released
    allowed = (gain + available * b * b >= 0) & (a > 0)
    root = torch.where(allowed, gain + b * b, 0.0).sqrt()
    denominator = torch.where(allowed, 2.0 * a, 1.0)
    factor = torch.where(b < 0, b + root, b - root) / denominator
    return velocities - factor[:, None, None] * change, allowed

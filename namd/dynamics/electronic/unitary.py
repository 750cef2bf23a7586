r"""Products of exponentials of small real symmetric matrices, unitary to rounding.

:math:`\prod_k \exp\{-i\tau[A + \tfrac kn(B-A)]\}` for traceless A and B. All n factors of all
trajectories are made at once; the ordered product is a tree of depth log₂ n. Two states are unit
quaternions (closed form); more states use the Taylor series of cosine and sine with three
doublings, exact to rounding while τ‖A‖ ≤ 8 (10 Hartree for 0.5 fs in 25 substeps, far beyond any
valence spectrum; the series fails visibly above, in the norm).

Elementwise products of complex tensors are avoided: torch rounds them differently in the
vectorised and in the scalar part of a loop, which would make a trajectory depend on its place.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor

DOUBLINGS = 3
SERIES_TERMS = 9


def exponential_product(
    before: Float64[Tensor, "traj state state"],
    after: Float64[Tensor, "traj state state"],
    *,
    substeps: int,
    timestep: float,
) -> tuple[Float64[Tensor, "traj state state"], Float64[Tensor, "traj state state"]]:
    """Real and imaginary part of Π_{k=1..n} exp{−i[A + (k/n)(B − A)]dt/n}, later k to the left.

    Parameters
    ----------
    before, after
        A and B: real symmetric and traceless, Hartree.
    substeps
        n.
    timestep
        dt, atomic units.
    """
    states = before.shape[-1]
    if states == 1:
        return torch.ones_like(before), torch.zeros_like(before)
    weights = torch.arange(1, substeps + 1, dtype=before.dtype, device=before.device) / substeps
    difference = after - before
    matrices = before[:, None] + weights[:, None, None] * difference[:, None]
    angles = matrices * (timestep / substeps)
    return _two_states(angles) if states == 2 else _many_states(angles)


def _two_states(angles: Float64[Tensor, "traj substep 2 2"]) -> tuple[Tensor, Tensor]:
    """Use unit quaternions: exp(−i(xσ_z + yσ_x)) = cos r − i (sin r / r)(xσ_z + yσ_x)."""
    x, y = angles[..., 0, 0], angles[..., 0, 1]
    r = (x * x + y * y).sqrt()
    small = r == 0
    sinc = torch.where(small, 1.0, r.sin() / torch.where(small, 1.0, r))
    factors = torch.stack((r.cos(), sinc * y, torch.zeros_like(x), sinc * x), dim=-1)
    q = ordered_product(factors, multiply_quaternions)
    a, b, c, d = q.unbind(-1)
    norm = (a * a + b * b + c * c + d * d).sqrt()
    a, b, c, d = a / norm, b / norm, c / norm, d / norm
    return _matrix(a, -c, c, a), _matrix(-d, -b, -b, d)


def _many_states(angles: Float64[Tensor, "traj substep state state"]) -> tuple[Tensor, Tensor]:
    """Exponentiate by series and doubling; products of complex matrices go through ``bmm``."""
    states = angles.shape[-1]
    scaled = angles * 2.0**-DOUBLINGS
    square = scaled @ scaled
    unit = torch.eye(states, dtype=angles.dtype, device=angles.device)
    units = torch.cat((unit, unit), dim=1)
    # Horner's rule for cos A and (sin A)/A side by side, in powers of A².
    divisors = torch.arange(1, 2 * SERIES_TERMS + 2, device=angles.device).to(angles.dtype)
    steps = (divisors[:-1] * divisors[1:]).view(SERIES_TERMS, 2).repeat_interleave(states, 1)
    series = units.expand(*angles.shape[:-1], 2 * states)
    for k in range(SERIES_TERMS - 1, -1, -1):
        series = units - (square @ series) / steps[k]
    cosine, sine = series[..., :states], scaled @ series[..., states:]
    factors = torch.complex(cosine.contiguous(), -sine)
    for _ in range(DOUBLINGS):
        factors = factors @ factors
    product = ordered_product(factors, torch.matmul)
    # One Newton–Schulz step U(3 − U†U)/2 takes the rounding of the product out of the norm.
    product = 1.5 * product - 0.5 * (product @ (product.mH @ product))
    return product.real, product.imag


def ordered_product(factors: Tensor, multiply: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Multiply along axis 1, later factors to the left, as a tree: f_n ⋯ f_2 f_1.

    Parameters
    ----------
    factors
        ``[traj, n, …]``.
    multiply
        Associative product of two ``[traj, m, …]`` tensors.
    """
    while factors.shape[1] > 1:
        pairs = factors.shape[1] // 2
        product = multiply(factors[:, 1 : 2 * pairs : 2], factors[:, 0 : 2 * pairs : 2])
        factors = torch.cat((product, factors[:, 2 * pairs :]), dim=1)
    return factors[:, 0]


def multiply_quaternions(
    left: Float64[Tensor, "*batch 4"], right: Float64[Tensor, "*batch 4"]
) -> Float64[Tensor, "*batch 4"]:
    """Multiply two quaternions (Hamilton), scalar part first."""
    a, b, c, d = left.unbind(-1)
    e, f, g, h = right.unbind(-1)
    return torch.stack(
        (
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ),
        dim=-1,
    )


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Assemble [[a, b], [c, d]] per trajectory."""
    return torch.stack((torch.stack((a, b), -1), torch.stack((c, d), -1)), -2)

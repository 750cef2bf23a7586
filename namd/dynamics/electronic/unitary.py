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
from jaxtyping import Complex128, Float64
from torch import Tensor

DOUBLINGS = 3
SERIES_TERMS = 9

COUPLED_DOUBLINGS = 9
"""For generators with a derivative coupling, which is large where a crossing is nearly trivial."""

LARGEST_ANGLE = 128.0
"""Bound on |T|τ, which keeps the series in its range: far beyond what a substep can resolve."""


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
    return _from_quaternions(_product_of_quaternions(factors))


def _many_states(angles: Float64[Tensor, "traj substep state state"]) -> tuple[Tensor, Tensor]:
    """Exponentiate by series and doubling; products of complex matrices go through ``bmm``."""
    cosine, sine = _cosine_sine(angles * 2.0**-DOUBLINGS)
    factors = _doubled(torch.complex(cosine, -sine), DOUBLINGS)
    product = _polished(ordered_product(factors, torch.matmul))
    return product.real, product.imag


def coupled_product(
    energies: Float64[Tensor, "traj substep state"],
    couplings: Float64[Tensor, "traj substep state state"],
    *,
    duration: float,
) -> tuple[Complex128[Tensor, "traj state state"], Complex128[Tensor, "traj substep state state"]]:
    """Π_k exp{(−iH_k − T_k)τ}, later k to the left, and its factors; all unitary to rounding.

    Parameters
    ----------
    energies
        H_k, diagonal, less the mean of its states, Hartree.
    couplings
        T_k, antisymmetric, inverse atomic units of time.
    duration
        τ, length of a substep.
    """
    if energies.shape[-1] != 2:
        factors = _many_coupled(energies, couplings, duration=duration)
        return _polished(ordered_product(factors, torch.matmul)), factors
    # xσ_z + yσ_y stands for H − iT.
    x, y = energies[..., 0] * duration, couplings[..., 0, 1] * duration
    r = torch.hypot(x, y)
    small = r == 0
    sinc = torch.where(small, 1.0, r.sin() / torch.where(small, 1.0, r))
    quaternions = torch.stack((r.cos(), torch.zeros_like(x), sinc * y, sinc * x), dim=-1)
    product = torch.complex(*_from_quaternions(_product_of_quaternions(quaternions)))
    return product, torch.complex(*_from_quaternions(quaternions))


def _many_coupled(
    energies: Float64[Tensor, "traj substep state"],
    couplings: Float64[Tensor, "traj substep state state"],
    *,
    duration: float,
) -> Complex128[Tensor, "traj substep state state"]:
    """Exponentiate the Hermitian H − iT as the real symmetric matrix [[H, T], [−T, H]]."""
    states = energies.shape[-1]
    bound = LARGEST_ANGLE / duration
    diagonal, coupling = torch.diag_embed(energies), couplings.clamp(-bound, bound)
    embedded = torch.cat(
        (torch.cat((diagonal, coupling), -1), torch.cat((-coupling, diagonal), -1)), -2
    )
    cosine, sine = _cosine_sine(embedded * (duration * 2.0**-COUPLED_DOUBLINGS))
    # A real 2k × 2k image [[X, −Y], [Y, X]] stands for X + iY; exp(−iA) = cos A − i sin A.
    real = cosine[..., :states, :states] + sine[..., states:, :states]
    imaginary = cosine[..., states:, :states] - sine[..., :states, :states]
    return _polished(_doubled(torch.complex(real, imaginary), COUPLED_DOUBLINGS))


def with_phase(
    real: Float64[Tensor, "traj state state"],
    imaginary: Float64[Tensor, "traj state state"],
    phase: Float64[Tensor, " traj"],
) -> Complex128[Tensor, "traj state state"]:
    """(X + iY) e^{−iφ} in real arithmetic."""
    cosine, sine = phase.cos()[:, None, None], phase.sin()[:, None, None]
    return torch.complex(real * cosine + imaginary * sine, imaginary * cosine - real * sine)


def _cosine_sine(scaled: Float64[Tensor, "*batch row row"]) -> tuple[Tensor, Tensor]:
    """Take cos A and sin A of symmetric matrices with ‖A‖ ≤ 1 from their series."""
    states = scaled.shape[-1]
    square = scaled @ scaled
    unit = torch.eye(states, dtype=scaled.dtype, device=scaled.device)
    units = torch.cat((unit, unit), dim=1)
    # Horner's rule for cos A and (sin A)/A side by side, in powers of A².
    divisors = torch.arange(1, 2 * SERIES_TERMS + 2, device=scaled.device).to(scaled.dtype)
    steps = (divisors[:-1] * divisors[1:]).view(SERIES_TERMS, 2).repeat_interleave(states, 1)
    series = units.expand(*scaled.shape[:-1], 2 * states)
    for k in range(SERIES_TERMS - 1, -1, -1):
        series = units - (square @ series) / steps[k]
    return series[..., :states].contiguous(), scaled @ series[..., states:]


def _doubled(factors: Tensor, times: int) -> Tensor:
    """Square matrices ``times`` times."""
    for _ in range(times):
        factors = factors @ factors
    return factors


def _polished(product: Tensor) -> Tensor:
    """One Newton–Schulz step U(3 − U†U)/2, which takes the rounding out of the norm."""
    return 1.5 * product - 0.5 * (product @ (product.mH @ product))


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


def _product_of_quaternions(factors: Tensor) -> Tensor:
    """Multiply unit quaternions along axis 1, later ones to the left; a unit quaternion."""
    product = ordered_product(factors, multiply_quaternions)
    a, b, c, d = product.unbind(-1)
    return product / (a * a + b * b + c * c + d * d).sqrt()[..., None]


def _from_quaternions(quaternions: Tensor) -> tuple[Tensor, Tensor]:
    """Real and imaginary part of the 2 × 2 matrix a − i(bσ_x + cσ_y + dσ_z)."""
    a, b, c, d = quaternions.unbind(-1)
    return _matrix(a, -c, c, a), _matrix(-d, -b, -b, d)


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Assemble [[a, b], [c, d]] per trajectory."""
    return torch.stack((torch.stack((a, b), -1), torch.stack((c, d), -1)), -2)

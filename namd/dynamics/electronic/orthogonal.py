"""The orthogonal matrix nearest to an overlap matrix (Löwdin), without an eigensolver.

Löwdin: P.-O. Löwdin, J. Chem. Phys. 18 (1950) 365, DOI 10.1063/1.1747632. The nearest orthogonal
matrix is the polar factor S(SᵀS)^(−1/2); the Newton–Schulz iteration finds it for any number of
states: N. J. Higham, Functions of Matrices (SIAM 2008), DOI 10.1137/1.9780898717778.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

POLISHING = 2
"""Iterations when S is orthogonal up to rounding (as many diabats as states)."""

COMPLETE = 40
"""Iterations when S may have lost part of a state: singular values down to 1e−6 are restored."""


def nearest_orthogonal(
    overlap: Float64[Tensor, "traj state state"], *, iterations: int = COMPLETE
) -> Float64[Tensor, "traj state state"]:
    """Löwdin-orthonormalised overlap.

    Parameters
    ----------
    overlap
        S, with singular values between 0 and 1 (columns are parts of orthonormal vectors).
    iterations
        Newton–Schulz iterations for three or more states; one and two states are in closed form.
        A singular value of exactly zero (a state leaves the kept space within one step) has no
        unique answer: two states are completed to a rotation, more than two leave the rank as it
        is and the norm of the amplitudes shows it.
    """
    states = overlap.shape[-1]
    if states == 1:
        return torch.where(overlap < 0, -1.0, 1.0).to(overlap)
    if states == 2:
        return _two_states(overlap)
    x = overlap
    for _ in range(iterations):
        x = 1.5 * x - 0.5 * (x @ (x.mT @ x))
    return x


def _two_states(overlap: Float64[Tensor, "traj 2 2"]) -> Float64[Tensor, "traj 2 2"]:
    """Polar factor (S ± cof S)/norm, the sign being that of det S."""
    (a, b), (c, d) = (row.unbind(-1) for row in overlap.unbind(-2))
    sign = torch.where(a * d - b * c < 0, -1.0, 1.0).to(a)
    p, q = a + sign * d, b - sign * c
    norm = (p * p + q * q).sqrt()
    defined = norm > 0
    scale = torch.where(defined, norm, 1.0)
    p, q = torch.where(defined, p / scale, 1.0), q / scale
    return torch.stack((torch.stack((p, q), -1), torch.stack((-sign * q, sign * p), -1)), -2)

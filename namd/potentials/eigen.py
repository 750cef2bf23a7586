"""Eigenvalues and eigenvectors of many small real symmetric matrices.

Two by two is closed form; larger matrices go through cyclic Jacobi rotations with a fixed number of
sweeps. Everything is elementwise arithmetic in float64: no host synchronisation (unlike
``torch.linalg.eigh`` on a GPU), and the result for a matrix depends on that matrix alone, bit for
bit. Never differentiate through it: forces and couplings are Hellmann–Feynman expressions.

Reference: G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed. (2013), section 8.5.
"""

import torch
from jaxtyping import Float64
from torch import Tensor


def symmetric_eigen(
    matrix: Float64[Tensor, "traj row row"],
) -> tuple[Float64[Tensor, "traj row"], Float64[Tensor, "traj row row"]]:
    """Ascending eigenvalues and the eigenvectors as columns; signs are arbitrary.

    Parameters
    ----------
    matrix
        Real symmetric; only the upper triangle is read.

    Returns
    -------
    Eigenvalues ``[traj, row]`` and orthonormal eigenvectors ``[traj, row, row]``, also where
    eigenvalues coincide. A matrix with NaN gives NaN, and disturbs no other.
    """
    size = matrix.shape[-1]
    if size == 1:
        return matrix[:, :, 0], torch.ones_like(matrix)
    if size == 2:
        return _two_by_two(matrix)
    return _jacobi(matrix)


def _two_by_two(matrix: Float64[Tensor, "traj 2 2"]) -> tuple[Tensor, Tensor]:
    """Use the closed form, with the half-angle taken from the side that does not cancel."""
    a, b, d = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 1]
    mean, x = 0.5 * (a + d), 0.5 * (a - d)
    scale = torch.maximum(x.abs(), b.abs())
    different = scale > 0
    unit = torch.where(different, scale, 1.0)
    u, w = x / unit, b / unit
    radius = (u * u + w * w).sqrt()
    # For x >= 0 the upper state is (p, w) and the lower (-w, p); for x < 0 (w, p) and (p, -w).
    p = radius + u.abs()
    norm = torch.where(different, (p * p + w * w).sqrt(), 1.0)
    major, minor = torch.where(different, p / norm, 1.0), w / norm
    first = x >= 0
    lower = torch.stack((torch.where(first, -minor, major), torch.where(first, major, -minor)), 1)
    upper = torch.stack((torch.where(first, major, minor), torch.where(first, minor, major)), 1)
    spread = radius * scale
    return torch.stack((mean - spread, mean + spread), 1), torch.stack((lower, upper), 2)


def _jacobi(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Cyclic Jacobi: each rotation zeroes one off-diagonal pair, each sweep visits all of them."""
    size = matrix.shape[-1]
    # Columns as separate tensors keep every operation elementwise and contiguous.
    a = [[matrix[:, min(i, j), max(i, j)].contiguous() for j in range(size)] for i in range(size)]
    zero, one = torch.zeros_like(a[0][0]), torch.ones_like(a[0][0])
    vectors = [torch.stack([one if i == j else zero for i in range(size)], 1) for j in range(size)]
    for _ in range(_sweeps(size)):
        for p in range(size - 1):
            for q in range(p + 1, size):
                _rotate(a, vectors, p, q)
    values = torch.stack([a[k][k] for k in range(size)], 1)
    order = torch.sort(values, dim=1, stable=True)
    columns = torch.stack(vectors, 2)
    return order.values, columns.gather(2, order.indices[:, None, :].expand_as(columns))


def _sweeps(size: int) -> int:
    """Sweeps after which the off-diagonal part is rounding: convergence is quadratic in the end."""
    return 6 if size <= 4 else 8 if size <= 8 else 11


def _rotate(a: list[list[Tensor]], vectors: list[Tensor], p: int, q: int) -> None:
    """Turn rows, columns and vectors p and q so that a_pq vanishes (smaller of the two angles)."""
    off = a[p][q]
    nonzero = off != 0
    theta = 0.5 * (a[q][q] - a[p][p]) / torch.where(nonzero, off, 1.0)
    root = (theta * theta + 1.0).sqrt()
    tangent = torch.where(theta >= 0, 1.0, -1.0) / (theta.abs() + root)
    tangent = torch.where(nonzero, tangent, 0.0)
    cosine = 1.0 / (tangent * tangent + 1.0).sqrt()
    sine = tangent * cosine
    a[p][p], a[q][q] = a[p][p] - tangent * off, a[q][q] + tangent * off
    # Exactly zero, except that NaN must stay NaN.
    a[p][q] = a[q][p] = off * 0.0
    for k in range(len(a)):
        if k not in (p, q):
            left, right = a[k][p], a[k][q]
            a[k][p] = a[p][k] = cosine * left - sine * right
            a[k][q] = a[q][k] = sine * left + cosine * right
    c, s = cosine[:, None], sine[:, None]
    vectors[p], vectors[q] = c * vectors[p] - s * vectors[q], s * vectors[p] + c * vectors[q]

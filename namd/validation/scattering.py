r"""Exact scattering of one particle on coupled surfaces in one dimension.

The stationary Schrödinger equation :math:`\psi'' = Q\psi`, :math:`Q(x) = 2m[W(x) - E]`, of any
number of diabatic channels is solved on a grid of spacing h. With :math:`T = h^2Q/12` and
:math:`\varphi = (1 - T)\psi` Numerov's method, of fourth order, is the three-term recursion

.. math::

    \varphi_{n-1} + \varphi_{n+1} = U_n \varphi_n, \qquad U_n = (2 + 10\,T_n)(1 - T_n)^{-1}.

Where W is constant the eigenvectors v of U are the adiabatic channels and the waves are exactly
:math:`v\lambda^{\pm n}` with :math:`\lambda + 1/\lambda` the eigenvalue:
:math:`\lambda = e^{i\kappa}` in an open channel, :math:`0 < \lambda < 1` in a closed one. Matched
to these *discrete* waves, the ends of the grid neither reflect nor absorb, at any energy, and the
flux :math:`|t|^2\sin\kappa` is conserved to rounding whatever h is; what h decides is the phase.

Reference: B. R. Johnson, J. Chem. Phys. 69 (1978) 4678, DOI 10.1063/1.436421 (renormalised
Numerov method).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex128, Float64
from scipy.linalg import solve_banded

from namd.errors import ConfigError, PhysicsError

PHASE_STEP = 0.04
"""Phase the fastest wave gathers between two points, if the grid may have so many."""

MOST_POINTS = 250_000
"""Points of the largest grid: seconds, and half a gigabyte."""

COARSEST_PHASE_STEP = 0.5
"""Beyond this the discrete wave is no longer the continuous one."""

_FINEST_SPACING = 0.01
_UNITARITY = 1e-8

Hamiltonian = Callable[
    [Float64[np.ndarray, " point"]], Float64[np.ndarray, "point channel channel"]
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scattering:
    """Probabilities to leave in each adiabatic channel, lowest first.

    Parameters
    ----------
    transmission
        To the right.
    reflection
        Back to the left.
    """

    transmission: Float64[np.ndarray, " channel"]
    reflection: Float64[np.ndarray, " channel"]


def scatter(
    hamiltonian: Hamiltonian,
    *,
    mass: float,
    momentum: float,
    left: float,
    right: float,
    refinement: float = 1.0,
) -> Scattering:
    """Scatter a plane wave that comes from the left on the lowest adiabatic surface.

    Parameters
    ----------
    hamiltonian
        W(x): points in Bohr → real symmetric matrices in Hartree; constant, to the accuracy
        wanted, beyond ``left`` and ``right``.
    mass
        m, electron masses.
    momentum
        Of the incoming particle, atomic units; E is its kinetic energy plus the lowest energy on
        the left. Channels that E does not reach come out as zero.
    left, right
        Ends of the grid, Bohr.
    refinement
        Factor of the number of points, to see what the grid does.

    Raises
    ------
    ConfigError
        If the momentum is not positive, or too large for the largest grid.
    PhysicsError
        If the probabilities do not sum to one to 1e-8.
    """
    if not momentum > 0:
        raise ConfigError("the momentum must be positive", where=f"momentum = {momentum}")
    ends = np.linalg.eigvalsh(hamiltonian(np.array([left, right])))
    energy = momentum**2 / (2.0 * mass) + ends[0, 0]
    x = _grid(hamiltonian, mass=mass, energy=energy, left=left, right=right, refinement=refinement)
    u = _recursion(hamiltonian(x), mass=mass, energy=energy, spacing=x[1] - x[0])
    waves_left, vectors_left = _discrete_waves(u[0])
    waves_right, vectors_right = _discrete_waves(u[-1])
    # The lowest surface has the fastest wave: the smallest eigenvalue of U, the first channel.
    source = (waves_left[0] - 1.0 / waves_left[0]) * vectors_left[:, 0]
    u[0] = _matrix(1.0 / waves_left, vectors_left)
    u[-1] = _matrix(1.0 / waves_right, vectors_right)
    wave = _solve(u, source)
    incoming = np.eye(len(source))[0]
    reflected = vectors_left.T @ wave[0] - incoming
    transmitted = vectors_right.T @ wave[-1]
    flux = waves_left[0].imag
    found = Scattering(
        transmission=np.abs(transmitted) ** 2 * waves_right.imag / flux,
        reflection=np.abs(reflected) ** 2 * waves_left.imag / flux,
    )
    total = float(found.transmission.sum() + found.reflection.sum())
    if not abs(total - 1.0) < _UNITARITY:
        raise PhysicsError(
            f"the exact probabilities sum to {total:.12f}, expected 1",
            where=f"scattering at a momentum of {momentum}",
            hint="a channel that opens at just this energy moves infinitely slowly",
        )
    return found


def _grid(
    hamiltonian: Hamiltonian,
    *,
    mass: float,
    energy: float,
    left: float,
    right: float,
    refinement: float,
) -> Float64[np.ndarray, " point"]:
    """Points that resolve the fastest wave, an even number of steps."""
    coarse = np.linalg.eigvalsh(hamiltonian(np.linspace(left, right, 2001)))
    fastest = float(np.sqrt(2.0 * mass * (energy - coarse.min())))
    length = right - left
    spacing = min(PHASE_STEP / fastest, _FINEST_SPACING)
    steps = int(min(length / spacing, MOST_POINTS) * refinement)
    if fastest * length / steps > COARSEST_PHASE_STEP:
        raise ConfigError(
            f"the grid of {steps} points is too coarse for a wave number of {fastest:.4g}",
            where="exact scattering",
            hint="ask for a smaller momentum",
        )
    return np.linspace(left, right, 2 * (steps // 2) + 1)


def _recursion(
    hamiltonian: Float64[np.ndarray, "point channel channel"],
    *,
    mass: float,
    energy: float,
    spacing: float,
) -> Complex128[np.ndarray, "point channel channel"]:
    """U of the module docstring."""
    unit = np.eye(hamiltonian.shape[-1])
    t = spacing**2 / 12.0 * 2.0 * mass * (hamiltonian - energy * unit)
    return np.linalg.solve(unit - t, 2.0 * unit + 10.0 * t).astype(np.complex128)


def _discrete_waves(
    u: Complex128[np.ndarray, "channel channel"],
) -> tuple[Complex128[np.ndarray, " channel"], Float64[np.ndarray, "channel channel"]]:
    """λ of each channel's outgoing or decaying wave, lowest surface first, and the channels."""
    doubled, vectors = np.linalg.eigh(0.5 * (u.real + u.real.T))
    half = 0.5 * doubled
    root = np.sqrt((half**2 - 1.0).astype(np.complex128))
    return np.where(half < 1.0, half + root, half - root), vectors


def _matrix(
    values: Complex128[np.ndarray, " channel"], vectors: Float64[np.ndarray, "channel channel"]
) -> Complex128[np.ndarray, "channel channel"]:
    return np.asarray((vectors * values) @ vectors.T)


def _solve(
    u: Complex128[np.ndarray, "point channel channel"],
    source: Complex128[np.ndarray, " channel"],
) -> Complex128[np.ndarray, "point channel"]:
    """Solve φ_{n−1} − U_n φ_n + φ_{n+1} = 0 with the source in the first row, as a band."""
    points, channels = u.shape[:2]
    size, width = points * channels, 2 * channels - 1
    band = np.zeros((2 * width + 1, size), dtype=np.complex128)
    band[width - channels, channels:] = 1.0
    band[width + channels, :-channels] = 1.0
    for i in range(channels):
        for j in range(channels):
            band[width + i - j, j::channels] = -u[:, i, j]
    right = np.zeros(size, dtype=np.complex128)
    right[:channels] = source
    solution = solve_banded(
        (width, width), band, right, overwrite_ab=True, overwrite_b=True, check_finite=False
    )
    return np.asarray(solution).reshape(points, channels)

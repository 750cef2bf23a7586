r"""Wave packets on coupled diabatic curves in one dimension, by the split operator on a grid.

.. math::

    \psi(t + \tau) = e^{-iW\tau/2}\, e^{-ip^2\tau/2m}\, e^{-iW\tau/2}\, \psi(t)

with :math:`e^{-iW\tau/2}` made exactly from the eigenvectors of W at every point and the kinetic
factor by Fourier transform. Unitary; the error is of second order in τ. The grid is periodic: it
must be so long that nothing reaches its ends.

Reference: M. D. Feit, J. A. Fleck, A. Steiger, J. Comput. Phys. 47 (1982) 412,
DOI 10.1016/0021-9991(82)90091-2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Equidistant points, Bohr.

    Parameters
    ----------
    left, right
        Ends; the right one is not a point, it is the left one again.
    points
        How many.
    """

    left: float
    right: float
    points: int

    @property
    def x(self) -> Float[np.ndarray, " point"]:
        """The points."""
        return np.linspace(self.left, self.right, self.points, endpoint=False)

    @property
    def momenta(self) -> Float[np.ndarray, " point"]:
        """Momenta in the order of the Fourier transform, atomic units."""
        spacing = (self.right - self.left) / self.points
        return 2.0 * np.pi * np.fft.fftfreq(self.points, spacing)


def gaussian(
    grid: Grid, *, centre: float, width: float, momentum: float = 0.0
) -> Complex[np.ndarray, " point"]:
    """Gaussian packet, Σ|ψ|² = 1, whose |ψ|² has the standard deviation ``width``."""
    x = grid.x - centre
    packet = np.exp(-((x / (2.0 * width)) ** 2) + 1j * momentum * x)
    return packet / np.linalg.norm(packet)


def propagate(
    hamiltonian: Callable[[Float[np.ndarray, " point"]], Float[np.ndarray, "point diabat diabat"]],
    start: Complex[np.ndarray, "diabat point"],
    *,
    grid: Grid,
    mass: float,
    timestep: float,
    steps: int,
    every: int,
) -> Complex[np.ndarray, "frame diabat point"]:
    """Wave function at t = 0 and after every ``every`` of ``steps`` steps.

    Parameters
    ----------
    hamiltonian
        W(x), Hartree.
    start
        ψ of each diabat on the grid.
    grid
        The points.
    mass
        Electron masses.
    timestep
        τ, atomic units.
    steps, every
        How many steps, and how many between frames.
    """
    energies, vectors = np.linalg.eigh(hamiltonian(grid.x))
    phases = np.exp(-0.5j * timestep * energies)
    half = np.einsum("xik,xk,xjk->ijx", vectors, phases, vectors)
    kinetic = np.exp(-0.5j * timestep * grid.momenta**2 / mass)
    psi, frames = start.astype(np.complex128), [start]
    for step in range(1, steps + 1):
        psi = (half * psi).sum(1)
        psi = np.fft.ifft(kinetic * np.fft.fft(psi))
        psi = (half * psi).sum(1)
        if step % every == 0:
            frames.append(psi)
    return np.stack(frames)

r"""Two or more states in a Debye bath, exactly: the hierarchical equations of motion (HEOM).

For H = H_S + V·X, where X is the force of a bath at temperature T with the spectral density
:math:`J = 2\Lambda\omega\omega_c/(\omega^2 + \omega_c^2)`, the correlation function of X is a
sum of exponentials :math:`C(t) = \sum_k c_k e^{-\nu_k t}`:

.. math::

    \nu_0 = \omega_c, \quad c_0 = \Lambda\omega_c(\cot\tfrac{\beta\omega_c}{2} - i), \qquad
    \nu_k = \frac{2\pi k}{\beta}, \quad
    c_k = \frac{4\Lambda\omega_c}{\beta} \frac{\nu_k}{\nu_k^2 - \omega_c^2}

and the reduced density matrix ρ (all n = 0) follows from

.. math::

    \dot\rho_n = -i[H_S, \rho_n] - \sum_k n_k\nu_k\rho_n - \delta\,[V, [V, \rho_n]]
        - i\sum_k [V, \rho_{n+1_k}] - i\sum_k n_k (c_k V\rho_{n-1_k} - c_k^* \rho_{n-1_k} V)

where δ = Σ_{k>K} c_k/ν_k treats the faster Matsubara terms as white noise. The hierarchy ends at
Σ n_k = depth; its members are divided by √∏ n_k! |c_k|^{n_k}, without which they differ by so many
orders of magnitude that rounding takes over. Bath and system are uncorrelated at t = 0.

References
----------
Y. Tanimura, R. Kubo, J. Phys. Soc. Jpn. 58 (1989) 101, DOI 10.1143/JPSJ.58.101;
A. Ishizaki, Y. Tanimura, J. Phys. Soc. Jpn. 74 (2005) 3131, DOI 10.1143/JPSJ.74.3131;
Q. Shi, L. Chen, G. Nan, R.-X. Xu, Y. Yan, J. Chem. Phys. 130 (2009) 084105,
DOI 10.1063/1.3077918 (the scaling).
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Complex, Float
from scipy.linalg import expm


@dataclass(frozen=True, kw_only=True)
class DebyeBath:
    """The bath, in one unit of energy.

    Parameters
    ----------
    reorganization, cutoff
        Λ and ω_c.
    temperature
        kT.
    """

    reorganization: float
    cutoff: float
    temperature: float


def correlation(
    bath: DebyeBath, matsubara: int
) -> tuple[Complex[np.ndarray, " term"], Float[np.ndarray, " term"], float]:
    """Amplitudes c_k and rates ν_k of C(t) with K Matsubara terms, and δ of all others."""
    nu = 2.0 * np.pi * bath.temperature * np.arange(1, matsubara + 1)
    strength = bath.reorganization * bath.cutoff
    cotangent = 1.0 / np.tan(0.5 * bath.cutoff / bath.temperature)
    terms = 4.0 * strength * bath.temperature * nu / (nu**2 - bath.cutoff**2)
    # Σ over all k of Re c_k/ν_k is ∫Re C dt = 2ΛkT/ω_c.
    whole = 2.0 * bath.reorganization * bath.temperature / bath.cutoff
    rest = whole - bath.reorganization * cotangent - float((terms / nu).sum())
    return (
        np.array([strength * (cotangent - 1j), *terms]),
        np.array([bath.cutoff, *nu]),
        rest,
    )


def density_matrices(
    system: Float[np.ndarray, "state state"],
    coupling: Float[np.ndarray, "state state"],
    start: Complex[np.ndarray, "state state"],
    *,
    bath: DebyeBath,
    times: Float[np.ndarray, " frame"],
    depth: int,
    matsubara: int = 1,
) -> Complex[np.ndarray, "frame state state"]:
    """Reduced density matrix at equidistant times.

    Parameters
    ----------
    system, coupling
        H_S and V.
    start
        ρ(0).
    bath
        Its numbers, in the unit of H_S.
    times
        Equidistant from 0, in the inverse unit of energy.
    depth, matsubara
        Where the hierarchy ends, and K.
    """
    generator = _generator(system, coupling, bath, depth=depth, matsubara=matsubara)
    onwards = expm(generator * (times[1] - times[0]))
    size = len(system)
    members = np.zeros(len(generator), dtype=np.complex128)
    members[: size**2] = start.ravel()
    found = []
    for _ in times:
        found.append(members[: size**2].reshape(size, size))
        members = onwards @ members
    return np.stack(found)


def _generator(
    system: np.ndarray, coupling: np.ndarray, bath: DebyeBath, *, depth: int, matsubara: int
) -> Complex[np.ndarray, "element element"]:
    """Matrix that gives the time derivative of all members, one after the other, each by rows."""
    amplitudes, rates, rest = correlation(bath, matsubara)
    indices = [n for n in product(range(depth + 1), repeat=len(rates)) if sum(n) <= depth]
    place = {n: k for k, n in enumerate(indices)}
    unit = np.eye(len(system))
    left, right = np.kron(coupling, unit), np.kron(unit, coupling.T)
    commutator = left - right
    own = -1j * (np.kron(system, unit) - np.kron(unit, system.T)) - rest * commutator @ commutator
    block = len(own)
    matrix = np.zeros((block * len(indices),) * 2, dtype=np.complex128)

    def put(row: int, column: int, values: np.ndarray) -> None:
        matrix[row * block : (row + 1) * block, column * block : (column + 1) * block] = values

    for row, n in enumerate(indices):
        put(row, row, own - np.dot(n, rates) * np.eye(block))
        for k, c in enumerate(amplitudes):
            above = (*n[:k], n[k] + 1, *n[k + 1 :])
            below = (*n[:k], n[k] - 1, *n[k + 1 :])
            if above in place:
                put(row, place[above], -1j * np.sqrt((n[k] + 1) * abs(c)) * commutator)
            if below in place:
                turn = np.exp(1j * np.angle(c))
                two_sided = turn * left - np.conj(turn) * right
                put(row, place[below], -1j * np.sqrt(n[k] * abs(c)) * two_sided)
    return matrix

r"""Linear vibronic coupling models of a few modes, exactly, in a basis of oscillator states.

.. math::

    H = \sum_k \omega_k (n_k + \tfrac12) + E + \sum_k \Lambda_k Q_k, \qquad
    Q_k = (a_k + a_k^\dagger)/\sqrt2

with symmetric matrices E and Λ_k of the electronic states. The basis is the product of the lowest
levels of every mode; the sparse H is propagated by Chebyshev polynomials, to rounding:

.. math::

    e^{-iHt} = e^{-i\bar E t} \sum_n (2 - \delta_{n0}) (-i)^n J_n(Rt)\, T_n((H - \bar E)/R)

The only approximation is how many levels a mode has.

References
----------
H. Köppel, W. Domcke, L. S. Cederbaum, Adv. Chem. Phys. 57 (1984) 59, DOI 10.1002/9780470142813.ch2;
H. Tal-Ezer, R. Kosloff, J. Chem. Phys. 81 (1984) 3967, DOI 10.1063/1.448136.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array, diags_array, eye_array, kron
from scipy.special import jv


@dataclass(frozen=True, kw_only=True)
class VibronicModel:
    """Numbers of a model, in one unit of energy.

    Parameters
    ----------
    energies
        E, symmetric.
    frequencies
        ω of every mode.
    couplings
        Λ of every mode: κ on the diagonal, λ beside it.
    """

    energies: Float[np.ndarray, "diabat diabat"]
    frequencies: Float[np.ndarray, " mode"]
    couplings: Float[np.ndarray, "mode diabat diabat"]


def hamiltonian(model: VibronicModel, levels: Sequence[int]) -> csr_array:
    """H in the product basis, electronic state first, then modes in their order."""
    ones = [eye_array(number) for number in levels]

    def product(electronic: csr_array, mode: int | None, operator: csr_array | None) -> csr_array:
        factors = [operator if k == mode else one for k, one in enumerate(ones)]
        return csr_array(reduce(kron, factors, csr_array(electronic)))

    unit = np.eye(len(model.energies))
    terms = [product(model.energies, None, None)]
    for mode, (omega, coupling) in enumerate(zip(model.frequencies, model.couplings, strict=True)):
        n = np.arange(levels[mode])
        off = np.sqrt(n[1:] / 2.0)
        q = diags_array([off, off], offsets=[-1, 1])
        terms += [
            product(unit, mode, diags_array(omega * (n + 0.5))),
            product(coupling, mode, q),
        ]
    return csr_array(sum(terms[1:], terms[0]))


def populations(
    model: VibronicModel,
    *,
    start: int,
    levels: Sequence[int],
    times: Float[np.ndarray, " frame"],
    tolerance: float = 1e-12,
) -> Float[np.ndarray, "frame diabat"]:
    """Diabatic populations after a vertical excitation from the lowest vibrational level.

    Parameters
    ----------
    model
        The numbers.
    start
        Diabatic state at t = 0, with every mode in its lowest level.
    levels
        Levels of every mode in the basis.
    times
        Ascending from 0, in the inverse unit of energy.
    tolerance
        Polynomials are added until the coefficients are below it.
    """
    h = hamiltonian(model, levels)
    psi = np.zeros(h.shape[0], dtype=np.complex128)
    psi[start * int(np.prod(levels))] = 1.0
    lowest, highest = gershgorin(h)
    centre, radius = 0.5 * (highest + lowest), 0.5 * (highest - lowest)
    scaled = csr_array((h - centre * eye_array(h.shape[0])) / radius)
    found = []
    for before, now in zip([0.0, *times[:-1]], times, strict=True):
        psi = _chebyshev(scaled, psi, radius * (now - before), tolerance=tolerance)
        found.append((np.abs(psi.reshape(len(model.energies), -1)) ** 2).sum(1))
    return np.stack(found)


def gershgorin(h: csr_array) -> tuple[float, float]:
    """Bounds of the spectrum from the circles of Gershgorin."""
    diagonal = h.diagonal()
    rest = np.asarray(abs(h).sum(axis=1)).ravel() - np.abs(diagonal)
    return float((diagonal - rest).min()), float((diagonal + rest).max())


def _chebyshev(scaled: csr_array, psi: np.ndarray, phase: float, *, tolerance: float) -> np.ndarray:
    """exp(−i·phase·scaled)ψ; the phase of the centre of the spectrum is left out."""
    if phase == 0.0:
        return psi
    previous, current = psi, scaled @ psi
    total = jv(0, phase) * previous - 2j * jv(1, phase) * current
    order = 1
    # J_n(x) falls faster than exponentially once n > x.
    while order <= phase or abs(jv(order, phase)) > tolerance:
        order += 1
        previous, current = current, 2.0 * (scaled @ current) - previous
        total = total + 2.0 * (-1j) ** (order % 4) * jv(order, phase) * current
    return total

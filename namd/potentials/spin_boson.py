r"""Spin–boson model: two diabatic states, each pushing a bath of harmonic oscillators its own way.

.. math::

    W = \begin{pmatrix} \varepsilon & \Delta \\ \Delta & -\varepsilon \end{pmatrix}
      + \sum_j \left( \tfrac12 \omega_j^2 x_j^2 + c_j x_j \sigma_z \right), \qquad
    J(\omega) = \frac{\pi}{2} \sum_j \frac{c_j^2}{\omega_j}\, \delta(\omega - \omega_j)

in mass-weighted coordinates (every oscillator is x of a model particle of mass 1). The bath is
discretised so that each oscillator carries the same share of the reorganisation energy
:math:`\Lambda = \sum_j c_j^2/2\omega_j^2 = \frac1\pi\int J/\omega`::

    Debye   J = 2Λ ω ω_c/(ω² + ω_c²)      ω_j = ω_c tan[π(j − ½)/2N]     c_j = ω_j √(2Λ/N)
    Ohmic   J = πΛ (ω/ω_c) e^{−ω/ω_c}     ω_j = −ω_c ln[1 − (j − ½)/N]   c_j = ω_j √(2Λ/N)

Λ is that of either state about the common minimum; the vertical gap changes by 4Λ. In terms of
Kondo's parameter ξ the Ohmic Λ is ξω_c/2.

Reference for the discretisation: H. Wang, M. Thoss, W. H. Miller, J. Chem. Phys. 115 (2001) 2979,
DOI 10.1063/1.1385561; I. R. Craig, D. E. Manolopoulos, J. Chem. Phys. 122 (2005)
084106, DOI 10.1063/1.1850093.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace

Spectrum = Literal["debye", "ohmic"]


def spin_boson(
    *,
    bias: float,
    coupling: float,
    spectrum: Spectrum,
    cutoff: float,
    reorganization: float,
    oscillators: int,
) -> DiabaticPotential:
    """Spin–boson model with a discretised bath.

    Parameters
    ----------
    bias, coupling
        ε and Δ, Hartree: the diabatic states lie 2ε apart and are coupled by Δ.
    spectrum
        Shape of J(ω).
    cutoff
        ω_c, Hartree.
    reorganization
        Λ, Hartree.
    oscillators
        N.

    Raises
    ------
    ConfigError
        If ω_c is not positive, Λ negative or there is no oscillator.
    """
    if not (cutoff > 0 and reorganization >= 0 and oscillators >= 1):
        raise ConfigError(
            "the bath needs a positive cut-off, a reorganisation energy of at least zero and at "
            "least one oscillator",
            where=f"spin-boson model, cutoff = {cutoff}, reorganization = {reorganization}, "
            f"oscillators = {oscillators}",
        )
    omega = bath_frequencies(spectrum, cutoff=cutoff, oscillators=oscillators)
    couplings = omega * np.sqrt(2.0 * reorganization / oscillators)
    slopes = np.zeros((2, 2, oscillators, 3))
    slopes[0, 0, :, 0], slopes[1, 1, :, 0] = couplings, -couplings
    stiffness = np.zeros((oscillators, 3))
    stiffness[:, 0] = omega**2
    return linear_vibronic(
        Molecule(atomic_numbers=np.zeros(oscillators, dtype=np.int64), masses=np.ones(oscillators)),
        StateSpace.singlets(2),
        reference=torch.zeros(oscillators, 3, dtype=torch.float64),
        stiffness=torch.diag(torch.as_tensor(stiffness.ravel())),
        energies=torch.tensor([[bias, coupling], [coupling, -bias]], dtype=torch.float64),
        slopes=torch.as_tensor(slopes),
        name=f"spin-boson ({spectrum}, {oscillators} oscillators)",
    )


def bath_frequencies(
    spectrum: Spectrum, *, cutoff: float, oscillators: int
) -> Float[np.ndarray, " oscillator"]:
    """Compute ω_j, ascending: the (j − ½)/N quantiles of J(ω)/ω.

    Examples
    --------
    >>> bath_frequencies("debye", cutoff=2.0, oscillators=1).round(12).tolist()
    [2.0]
    """
    quantile = (np.arange(oscillators) + 0.5) / oscillators
    if spectrum == "debye":
        return np.asarray(cutoff * np.tan(0.5 * np.pi * quantile))
    return np.asarray(-cutoff * np.log1p(-quantile))

"""Atomic units inside, eV, Å, fs, K and amu at the border: the only conversion factors of namd.

All values are CODATA, from :mod:`scipy.constants`. A name reads as *target per source*:
``EV_PER_HARTREE`` turns Hartree into eV by multiplication.
"""

from math import log

from scipy import constants as _c

_au = _c.physical_constants

HARTREE_J = _au["Hartree energy"][0]
BOHR_M = _au["Bohr radius"][0]
ATOMIC_TIME_S = _au["atomic unit of time"][0]

EV_PER_HARTREE: float = HARTREE_J / _c.e
ANGSTROM_PER_BOHR: float = BOHR_M * 1e10
FS_PER_ATOMIC_TIME: float = ATOMIC_TIME_S * 1e15
ELECTRON_MASS_PER_AMU: float = _au["atomic mass constant"][0] / _c.m_e
HARTREE_PER_KELVIN: float = _c.k / HARTREE_J
HARTREE_PER_INVERSE_CM: float = _c.h * _c.c * 100.0 / HARTREE_J
EV_PER_ANGSTROM_PER_ATOMIC_FORCE: float = EV_PER_HARTREE / ANGSTROM_PER_BOHR
DEBYE_PER_ATOMIC_DIPOLE: float = _c.e * BOHR_M * _c.c * 1e21
SPEED_OF_LIGHT: float = 1.0 / _c.fine_structure
"""Atomic units."""
NANOMETRE_EV: float = _c.h * _c.c / _c.e * 1e9
"""Wavelength in nm times photon energy in eV."""
MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM: float = 1e-19 * _c.N_A / log(10.0)
"""ε in L mol⁻¹ cm⁻¹ (decadic) of a cross-section of 1 Å² per molecule: N_A/ln 10."""

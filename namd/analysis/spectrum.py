r"""Absorption spectrum of a nuclear ensemble.

Every geometry n of the ground-state distribution absorbs at its own vertical excitation energies,
each broadened by a narrow line g of unit area; the spectrum is the mean over the geometries::

    σ(E) = (2π²/c) Σ_k (1/N) Σ_n  (ΔE_nk / E) f_nk g(E − ΔE_nk)

in atomic units (SI: πe²ħ/2ε₀mc for 2π²/c), without refractive index: one molecule in vacuum. The
shape of a band comes from the ensemble; the width of the line only smooths it. Absolute heights
follow, as ∫σ dE = 1.0976 eV Å² · f for a narrow band. Vibrational structure does not: the method
gives envelopes.

References
----------
R. Crespo-Otero, M. Barbatti, Theor. Chem. Acc. 131 (2012) 1237, section 2,
DOI 10.1007/s00214-012-1237-4. Their Gaussian exp(−2(E − ΔE)²/δ²) of width δ has a full width at
half maximum of 1.18 δ.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from namd.analysis.excitations import Excitations
from namd.analysis.intervals import CONFIDENCE
from namd.errors import DataError
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE, SPEED_OF_LIGHT

Line = Literal["gaussian", "lorentzian"]

SUM_RULE = 2 * np.pi**2 / SPEED_OF_LIGHT * EV_PER_HARTREE * ANGSTROM_PER_BOHR**2
"""∫σ dE of a transition of unit oscillator strength, eV Å²: 1.0976."""
_MARGIN = 3.0
_POINTS_PER_WIDTH = 10
_POINTS = (200, 4000)
_CHUNK = 256
"""Samples at a time: each is a line over all photon energies."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Band:
    """What one state contributes.

    Parameters
    ----------
    state
        Label.
    cross_section
        Å² per molecule on the energies of the spectrum.
    energy_ev, energy_spread_ev
        Mean and standard deviation of the vertical excitation energies, eV.
    strength, strength_error
        Mean oscillator strength and its standard error.
    """

    state: str
    cross_section: Float[np.ndarray, " energy"]
    energy_ev: float
    energy_spread_ev: float
    strength: float
    strength_error: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrum:
    """Absorption cross-section of an ensemble.

    Parameters
    ----------
    initial
        Label of the absorbing state.
    samples
        Geometries the mean is over.
    line, width_ev
        Shape of a single line and its full width at half maximum, eV.
    energy_ev
        Photon energies, eV.
    cross_section, lower, upper
        Å² per molecule, and its 95 % interval: mean ± 1.96 standard errors over the ensemble.
    bands
        What each state contributes; they add up to the cross-section.
    """

    initial: str
    samples: int
    line: Line
    width_ev: float
    energy_ev: Float[np.ndarray, " energy"]
    cross_section: Float[np.ndarray, " energy"]
    lower: Float[np.ndarray, " energy"]
    upper: Float[np.ndarray, " energy"]
    bands: tuple[Band, ...]

    @property
    def maximum_ev(self) -> float:
        """Energy of the absorption maximum, eV."""
        return float(self.energy_ev[self.cross_section.argmax()])

    @property
    def integral(self) -> float:
        """∫σ dE over the energies shown, eV Å²."""
        return float(np.trapezoid(self.cross_section, self.energy_ev))


def absorption_spectrum(
    excitations: Excitations,
    *,
    line: Line = "gaussian",
    width_ev: float | None = None,
    range_ev: tuple[float, float] | None = None,
) -> Spectrum:
    """Compute the spectrum of an ensemble.

    Parameters
    ----------
    excitations
        All known (no NaN).
    line
        Shape of a line.
    width_ev
        Its full width at half maximum, eV; that of :func:`silverman_width` if left out.
    range_ev
        Lowest and highest photon energy, eV; where all lines have faded if left out.

    Raises
    ------
    DataError
        If there are fewer than two samples, a width or energy is not positive, or a value is NaN.
    """
    if len(excitations) < 2:
        raise DataError(
            f"{len(excitations)} geometries make no ensemble", hint="sample some hundreds"
        )
    if not excitations.known().all():
        raise DataError("energies or oscillator strengths are missing in some samples")
    centres = excitations.energies * EV_PER_HARTREE
    if width_ev is None:
        width_ev = silverman_width(centres)
    if not width_ev > 0:
        raise DataError(
            f"a line of width {width_ev:g} eV has no shape", where="width", hint="give a width"
        )
    grid = _grid(centres, width_ev=width_ev, range_ev=range_ev)
    number = len(excitations)
    by_state = np.zeros((len(excitations.states), len(grid)))
    squares = np.zeros(len(grid))
    for start in range(0, number, _CHUNK):
        centre = centres[start : start + _CHUNK, :, None]
        strength = excitations.strengths[start : start + _CHUNK, :, None]
        shape = line_shape(grid - centre, line=line, width=width_ev)
        absorbed = SUM_RULE * centre / grid * strength * shape
        by_state += absorbed.sum(0)
        squares += np.square(absorbed.sum(1)).sum(0)
    by_state /= number
    mean = by_state.sum(0)
    variance = np.maximum(squares / number - mean**2, 0.0) / (number - 1)
    half = ndtri(0.5 + CONFIDENCE / 2) * np.sqrt(variance)
    return Spectrum(
        initial=excitations.initial,
        samples=number,
        line=line,
        width_ev=width_ev,
        energy_ev=grid,
        cross_section=mean,
        lower=np.maximum(mean - half, 0.0),
        upper=mean + half,
        bands=tuple(
            _band(state, by_state[k], centres[:, k], excitations.strengths[:, k])
            for k, state in enumerate(excitations.states)
        ),
    )


def _band(
    state: str,
    cross_section: Float[np.ndarray, " energy"],
    centres: Float[np.ndarray, " sample"],
    strengths: Float[np.ndarray, " sample"],
) -> Band:
    return Band(
        state=state,
        cross_section=cross_section,
        energy_ev=float(centres.mean()),
        energy_spread_ev=float(centres.std(ddof=1)),
        strength=float(strengths.mean()),
        strength_error=float(strengths.std(ddof=1) / np.sqrt(len(strengths))),
    )


def silverman_width(centres: Float[np.ndarray, "sample excited"]) -> float:
    """Line width (FWHM) that resolves a band as finely as so many samples allow.

    The spectrum is a density estimated from points; Silverman's rule gives the standard deviation
    of the kernel, 0.9 min(s, IQR/1.34) N^(−1/5). Of several states the narrowest counts.

    References
    ----------
    B. W. Silverman, Density Estimation for Statistics and Data Analysis (1986), eq. 3.31,
    DOI 10.1201/9781315140919.
    """
    quartiles = np.quantile(centres, [0.25, 0.75], axis=0)
    spread = np.minimum(centres.std(0, ddof=1), (quartiles[1] - quartiles[0]) / 1.34)
    kernel = 0.9 * spread.min() * len(centres) ** -0.2
    return float(kernel * np.sqrt(8 * np.log(2)))


def line_shape(
    distance: Float[np.ndarray, "*shape"], *, line: Line, width: float
) -> Float[np.ndarray, "*shape"]:
    """Line of unit area and full width at half maximum ``width``, in units of 1/``distance``."""
    x = distance / (0.5 * width)
    if line == "lorentzian":
        return np.asarray(2.0 / (np.pi * width) / (1.0 + x**2))
    return np.asarray(np.sqrt(np.log(2.0) / np.pi) * 2.0 / width * np.exp(-np.log(2.0) * x**2))


def _grid(
    centres: Float[np.ndarray, "sample excited"],
    *,
    width_ev: float,
    range_ev: tuple[float, float] | None,
) -> Float[np.ndarray, " energy"]:
    """Photon energies, ten to a line width."""
    margin = _MARGIN * width_ev
    low, high = range_ev or (max(centres.min() - margin, 0.1 * width_ev), centres.max() + margin)
    if not 0 < low < high:
        raise DataError(
            f"{low:g} to {high:g} eV is no range of photon energies",
            where="range",
            hint="give two positive energies, the lower one first",
        )
    points = int(np.clip(np.ceil(_POINTS_PER_WIDTH * (high - low) / width_ev), *_POINTS))
    return np.linspace(low, high, points + 1)

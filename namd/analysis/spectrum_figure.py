"""Figure of an absorption spectrum."""

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from namd.analysis.figures import GREY, INK, PALE, PALETTE, STYLE, write_title
from namd.analysis.spectrum import Spectrum
from namd.units import MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM, NANOMETRE_EV

_DASHES = (0, (4, 2))
_ROOM = 0.08
"""Least distance of two marks, as a fraction of the axis."""


def spectrum_figure(found: Spectrum, *, subject: str, molar: bool = False) -> Figure:
    """Draw the cross-section with its interval, the states' shares, and wavelengths at the top.

    A short mark at the bottom shows the mean vertical excitation energy of each state.

    Parameters
    ----------
    found
        As computed by :func:`namd.analysis.spectrum.absorption_spectrum`.
    subject
        Second line of the title: what the ensemble is.
    molar
        Draw the molar absorptivity instead of the cross-section.
    """
    factor = MOLAR_ABSORPTIVITY_PER_SQUARE_ANGSTROM if molar else 1.0
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.8), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(
            found.energy_ev,
            factor * found.lower,
            factor * found.upper,
            color=INK,
            alpha=0.15,
            linewidth=0,
        )
        broadening = f"{found.line.capitalize()} lines, {found.width_ev:.2g} eV wide"
        curve = axes.plot(
            found.energy_ev, factor * found.cross_section, color=INK, lw=1.6, label=broadening
        )
        interval = Patch(color=INK, alpha=0.15, lw=0, label="95 % interval")
        handles: list[Artist] = [*curve, interval]
        for k, band in enumerate(found.bands):
            colour = PALETTE[k % len(PALETTE)]
            if len(found.bands) > 1:
                axes.plot(
                    found.energy_ev, factor * band.cross_section, color=colour, lw=1.2, ls=_DASHES
                )
            axes.axvline(band.energy_ev, ymax=0.04, color=colour, lw=1.6)
            label = (
                f"{found.initial} → {band.state}, {band.energy_ev:.2f} eV, f {band.strength:.3f}"
            )
            handles.append(
                Line2D(
                    [], [], color=colour, ls=_DASHES if len(found.bands) > 1 else "-", label=label
                )
            )
        axes.set(
            xlabel="photon energy / eV",
            ylabel="molar absorptivity / L mol⁻¹ cm⁻¹" if molar else "cross-section / Å²",
            xlim=(found.energy_ev[0], found.energy_ev[-1]),
        )
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)
        top = axes.secondary_xaxis("top", functions=(_wavelength, _wavelength))
        top.set_xticks(_round_wavelengths(found.energy_ev[0], found.energy_ev[-1]))
        top.set_xlabel("wavelength / nm", color=GREY)
        write_title(figure, "Absorption spectrum", subject)
        axes.legend(handles=handles, loc="best")
    return figure


def _wavelength(energy: ArrayLike) -> np.ndarray:
    """Wavelength in nm of an energy in eV, and back; Matplotlib also asks for zero."""
    return np.asarray(NANOMETRE_EV / np.maximum(np.asarray(energy, dtype=np.float64), 1e-6))


def _round_wavelengths(low_ev: float, high_ev: float) -> list[float]:
    """Wavelengths to be marked: multiples of 100, then of 50 and 10 nm, where there is room."""
    kept: list[float] = []
    for step in (100, 50, 10):
        first, last = NANOMETRE_EV / high_ev, min(NANOMETRE_EV / low_ev, 2000.0)
        for wavelength in np.arange(np.ceil(first / step) * step, last, step):
            places = [abs(NANOMETRE_EV / wavelength - NANOMETRE_EV / other) for other in kept]
            if min(places, default=np.inf) > _ROOM * (high_ev - low_ev):
                kept.append(float(wavelength))
    return sorted(kept)

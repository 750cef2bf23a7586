"""Parity plots: predicted against reference energies, gaps, forces and couplings.

Points are coloured by state or pair, in the palette of all our figures; the mean absolute error
stands beside each colour.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from namd.analysis.figures import GREY, PALE, PALETTE, STYLE
from namd.io.atomic import write_bytes
from namd.train.metrics import Comparison

_MOST_POINTS = 20_000


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One quantity: a column per state or pair, frames (and components) along the rest."""

    title: str
    unit: str
    names: Sequence[str]
    reference: Float[np.ndarray, "frame column *component"]
    predicted: Float[np.ndarray, "frame column *component"]


def parity_figure(comparison: Comparison, *, labels: Sequence[str], title: str) -> Figure:
    """Draw predictions against references, one panel per quantity.

    Parameters
    ----------
    comparison
        Predictions and references in eV and Å; unknown references (NaN) are left out. Of forces
        and couplings at most 20 000 evenly chosen components per state or pair are drawn.
    labels
        State labels. With one state there are no gaps and couplings to draw.
    title
        A line above the panels.
    """
    panels = _panels(comparison, labels)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(panels), 3.55), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw(axes, panel)
    return figure


def write_parity_png(
    comparison: Comparison, path: Path, *, labels: Sequence[str], title: str
) -> None:
    """Write :func:`parity_figure` as a PNG, atomically.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    buffer = io.BytesIO()
    with rc_context(STYLE):
        parity_figure(comparison, labels=labels, title=title).savefig(buffer, format="png", dpi=200)
    write_bytes(path, buffer.getvalue())


def _panels(c: Comparison, labels: Sequence[str]) -> list[_Panel]:
    zero = np.nanmin(c.reference_energies)
    pairs = [f"{one}–{two}" for one, two in combinations(labels, 2)]
    panels = [
        _Panel(
            title="Energy",
            unit="eV",
            names=labels,
            reference=c.reference_energies - zero,
            predicted=c.energies - zero,
        ),
        _Panel(title="Gap", unit="eV", names=pairs, reference=c.reference_gaps, predicted=c.gaps),
        _Panel(
            title="Force component",
            unit="eV/Å",
            names=labels,
            reference=c.reference_forces,
            predicted=c.forces,
        ),
    ]
    if c.coupling is not None and c.reference_coupling is not None:
        panels.append(
            _Panel(
                title="Interstate coupling h",
                unit="eV/Å",
                names=pairs,
                reference=c.reference_coupling,
                predicted=c.coupling,
            )
        )
    return [panel for panel in panels if panel.names]


def _draw(axes: Axes, panel: _Panel) -> None:
    """Scatter every column, draw the diagonal, and tell the errors in the legend."""
    handles = []
    extent = []
    for k, name in enumerate(panel.names):
        reference, predicted = panel.reference[:, k].ravel(), panel.predicted[:, k].ravel()
        known = np.isfinite(reference)
        reference, predicted = reference[known], predicted[known]
        if not reference.size:
            continue
        extent += [reference.min(), reference.max(), predicted.min(), predicted.max()]
        stride = -(-reference.size // _MOST_POINTS)
        colour = PALETTE[k % len(PALETTE)]
        size = 7.0 if reference.size < 500 else 2.5
        axes.scatter(
            reference[::stride],
            predicted[::stride],
            s=size,
            color=colour,
            alpha=0.45,
            linewidths=0,
            rasterized=True,
        )
        error = 1e3 * np.abs(predicted - reference).mean()
        text = f"{name}: {error:.3g} m{panel.unit}"
        handles.append(Line2D([], [], marker="o", ls="", ms=4, mew=0, color=colour, label=text))
    axes.set_title(panel.title, fontsize=9, loc="left")
    if extent:
        low, high = min(extent), max(extent)
        margin = 0.04 * (high - low) or 0.01
        limits = (low - margin, high + margin)
        axes.plot(limits, limits, color=GREY, lw=0.8, zorder=0)
        axes.set(xlim=limits, ylim=limits)
    axes.set_aspect("equal")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color=PALE, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    axes.set(xlabel=f"reference / {panel.unit}", ylabel=f"predicted / {panel.unit}")
    axes.legend(
        handles=handles,
        title="mean absolute error",
        title_fontsize=7,
        alignment="left",
        fontsize=7.5,
        loc="upper left",
        handletextpad=0.1,
        borderaxespad=0.1,
    )

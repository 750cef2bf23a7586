"""Reliability: the root mean square of errors against that of the deviations that predict them.

One panel per quantity, one point per tenth of the values by their deviation: on the diagonal the
deviation is what the error turns out to be. Grey: the deviations as they come, without the factor.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from namd.analysis.figures import GREY, PALE, PALETTE, STYLE
from namd.io.atomic import write_bytes

_TITLES = {
    "energy": "Energy",
    "gap": "Gap",
    "force": "Force component",
    "coupling": "Interstate coupling h",
}


def reliability_figure(table: Mapping[str, Mapping[str, Any]], *, title: str) -> Figure:
    """Draw predicted against true errors.

    Parameters
    ----------
    table
        As :func:`namd.train.reliability.uncertainty_table` gives it, not empty.
    title
        A line above the panels.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(table), 3.55), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        panels = figure.subplots(1, len(table), squeeze=False)[0]
        for axes, (name, row) in zip(panels, table.items(), strict=True):
            _draw(axes, row, title=_TITLES[name])
    return figure


def write_reliability_png(
    table: Mapping[str, Mapping[str, Any]], path: Path, *, title: str
) -> None:
    """Write :func:`reliability_figure` as a PNG, atomically.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    buffer = io.BytesIO()
    with rc_context(STYLE):
        reliability_figure(table, title=title).savefig(buffer, format="png", dpi=200)
    write_bytes(path, buffer.getvalue())


def _draw(axes: Axes, row: Mapping[str, Any], *, title: str) -> None:
    predicted = np.array([each["predicted"] for each in row["reliability"]])
    true = np.array([each["true"] for each in row["reliability"]])
    plain = predicted / row["scale"]
    axes.set_title(title, fontsize=9, loc="left")
    axes.set(xlabel=f"predicted / {row['unit']}", ylabel=f"true / {row['unit']}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.grid(color=PALE, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    # An error of exactly zero has no place on a logarithmic axis.
    everything = np.concatenate([predicted, true])
    if row["nll_before"] is not None:
        everything = np.concatenate([everything, plain])
    everything = everything[everything > 0]
    if not everything.size:
        return
    limits = (0.7 * everything.min(), 1.4 * everything.max())
    axes.plot(limits, limits, color=GREY, lw=0.8, zorder=0)
    axes.set(xlim=limits, ylim=limits)
    axes.set_aspect("equal")
    if row["nll_before"] is not None and row["scale"] != 1.0:
        axes.plot(plain, true, "o", ms=3, mew=0, color=GREY, alpha=0.5, label="as it comes")
    label = f"calibrated, error {100 * (row['ence_after'] or 0):.0f} %"
    axes.plot(predicted, true, "o-", ms=4, mew=0, lw=0.8, color=PALETTE[0], label=label)
    axes.legend(fontsize=7.5, loc="upper left", handletextpad=0.3, borderaxespad=0.1)

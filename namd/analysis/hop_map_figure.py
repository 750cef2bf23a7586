"""A figure of where trajectories hop, by what became of them."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from namd.analysis.figures import GREY, INK, PALE, PALETTE, STYLE, write_title
from namd.analysis.hop_map import Axis, HopMap
from namd.analysis.yields import FAILED, UNDECIDED

_MARKERS = ("o", "s", "^", "D", "v", "P")


def hop_map_figure(
    result: HopMap,
    *,
    classes: tuple[str, ...],
    subject: str,
    marks: Mapping[str, Float[np.ndarray, " 2"]] | None = None,
) -> Figure:
    """Draw the two coordinates of every hop to the ground state.

    Parameters
    ----------
    result
        As computed by :func:`namd.analysis.hop_map.hop_map`.
    classes
        Declared classes in their order, which gives the colours.
    subject
        Second line of the title: what the ensemble is.
    marks
        Values of the two coordinates at named geometries, drawn as stars.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 4.8), layout="constrained")
        axes = figure.subplots()
        earlier = ~result.last
        if earlier.any():
            axes.scatter(
                result.values[earlier, 0],
                result.values[earlier, 1],
                s=9,
                marker="x",
                color=PALE,
                lw=0.7,
                label=f"hopped back later ({earlier.sum()})",
            )
        for k, name in enumerate((*classes, UNDECIDED, FAILED)):
            rows = result.last & (result.outcome == name)
            if rows.any():
                known = k < len(classes)
                axes.scatter(
                    result.values[rows, 0],
                    result.values[rows, 1],
                    s=20,
                    marker=_MARKERS[k % len(_MARKERS)] if known else ".",
                    color=PALETTE[k % len(PALETTE)] if known else GREY,
                    alpha=0.75,
                    lw=0,
                    label=f"{name} ({rows.sum()})",
                )
        for name, (x, y) in (marks or {}).items():
            axes.scatter(x, y, s=110, marker="*", color=INK, zorder=5)
            words = axes.annotate(name, (x, y), (6, 5), textcoords="offset points", fontsize=8)
            halo = withStroke(linewidth=2.5, foreground="white")  # makes the letters outlines:
            words.set(zorder=6, path_effects=[halo], gid=f"mark-{name}")  # the id is their name
        first, second = result.axes
        axes.set(xlabel=_label(first), ylabel=_label(second))
        write_title(figure, "Hops to the ground state", subject)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best", frameon=True, framealpha=0.8, edgecolor="none", fontsize=8)
    return figure


def _label(axis: Axis) -> str:
    return f"{axis.name.replace('_', ' ')} / {axis.unit}"

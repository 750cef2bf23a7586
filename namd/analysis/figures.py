"""Figures of populations and yields, as Matplotlib :class:`~matplotlib.figure.Figure` objects.

No pyplot and no global state: a figure is made, saved and forgotten. The colours are those of
M. Okabe and K. Ito, which stay apart for colour-blind readers; line styles carry the same
distinction in print.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from namd.analysis.diabatic import DiabaticPopulations
from namd.analysis.populations import Populations
from namd.analysis.survival import Estimate
from namd.analysis.yields import FAILED, UNDECIDED, Yields
from namd.errors import ConfigError
from namd.io.atomic import write_bytes

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY, PALE = "#222222", "#777777", "#BBBBBB"
SUFFIXES = (".png", ".pdf", ".svg")

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.linewidth": 0.6,
}


def populations_figure(
    result: Populations, *, subject: str, lifetime: Estimate | None = None, decaying: str = ""
) -> Figure:
    """Draw populations with their bands, and n(t) below on its own small panel.

    Parameters
    ----------
    result
        As computed by :func:`namd.analysis.populations.populations`.
    subject
        Second line of the title: what the ensemble is.
    lifetime
        Median survival time, marked if given.
    decaying
        Label of the state the lifetime belongs to.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 4.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4.5, 1.0]})
        for k, label in enumerate(result.states):
            colour = PALETTE[k % len(PALETTE)]
            upper.fill_between(
                result.time_fs,
                result.lower[:, k],
                result.upper[:, k],
                color=colour,
                alpha=0.18,
                linewidth=0,
            )
            upper.plot(result.time_fs, result.active[:, k], color=colour, lw=1.8, label=label)
            upper.plot(result.time_fs, result.amplitude[:, k], color=colour, lw=1.0, ls=(0, (4, 2)))
        _draw_numbers(lower, result)
        if lifetime is not None:
            _mark_lifetime(upper, lifetime, decaying)
        upper.set(ylabel="population", ylim=(-0.02, 1.02))
        upper.set_yticks(np.linspace(0, 1, 6))
        upper.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)
        handles = [
            *upper.get_lines()[: 2 * len(result.states) : 2],
            Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval"),
            Line2D([], [], color=GREY, lw=1.0, ls=(0, (4, 2)), label="mean |c|²"),
        ]
        write_title(figure, "State populations", subject)
        _legend_above(upper, handles)
    return figure


def diabatic_figure(result: DiabaticPopulations, *, subject: str) -> Figure:
    """Draw diabatic populations with the intervals of their means.

    Parameters
    ----------
    result
        As computed by :func:`namd.analysis.diabatic.diabatic_populations`.
    subject
        Second line of the title: what the ensemble is.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.8), layout="constrained")
        axes = figure.subplots()
        for k, label in enumerate(result.states):
            colour = PALETTE[k % len(PALETTE)]
            band = (result.lower[:, k], result.upper[:, k])
            axes.fill_between(result.time_fs, *band, color=colour, alpha=0.18, linewidth=0)
            axes.plot(result.time_fs, result.mean[:, k], color=colour, lw=1.8, label=label)
        axes.set(xlabel="time / fs", ylabel="diabatic population")
        axes.set_xlim(result.time_fs[0], max(result.time_fs[-1], result.time_fs[0] + 1e-3))
        axes.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)
        handles = [
            *axes.get_lines(),
            Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval"),
        ]
        write_title(figure, "Diabatic populations", subject)
        _legend_above(axes, handles)
    return figure


def yields_figure(result: Yields, *, subject: str) -> Figure:
    """Draw the share of every class as a bar with its 95 % interval.

    Parameters
    ----------
    result
        As computed by :func:`namd.analysis.yields.quantum_yields`.
    subject
        Second line of the title: what the ensemble is.
    """
    names = list(result.classes)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 1.25 + 0.42 * len(names)), layout="constrained")
        axes = figure.subplots()
        for row, (name, entry) in enumerate(result.classes.items()):
            fraction, low, high = entry.fraction or 0.0, entry.lower or 0.0, entry.upper or 0.0
            other = name in {UNDECIDED, FAILED}
            axes.barh(
                row,
                fraction,
                height=0.62,
                color="#E4E4E4" if other else PALETTE[row % len(PALETTE)],
                edgecolor=GREY if name == FAILED else "none",
                hatch="////" if name == FAILED else None,
                alpha=1.0 if other else 0.8,
                linewidth=0,
            )
            axes.errorbar(
                fraction,
                row,
                xerr=[[fraction - low], [high - fraction]],
                color=INK,
                lw=1.0,
                capsize=2.5,
                capthick=1.0,
            )
            axes.annotate(
                f"{100 * fraction:.0f} %  ({entry.count})",
                (high, row),
                (6, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        highest = max(entry.upper or 0.0 for entry in result.classes.values())
        axes.set_xlim(0, highest * 1.18)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel("share of all trajectories, with 95 % Wilson interval")
        write_title(figure, f"Products after {result.time_fs:.0f} fs", subject)
    return figure


def check_figure_path(path: Path) -> None:
    """Refuse a figure name that cannot be written, before any work is done for it.

    Raises
    ------
    ConfigError
        If the suffix is none of :data:`SUFFIXES` or the folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"expected a file name ending in one of: {', '.join(SUFFIXES)}",
            where=f"--figure {path}",
            hint=f"for example {path.with_suffix('.png')}",
        )
    if not path.parent.is_dir():
        raise ConfigError(
            f"the folder {path.parent} does not exist", where=f"--figure {path}", hint="create it"
        )


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure atomically, in the format its suffix names.

    Raises
    ------
    ConfigError
        If the name is unusable or the file cannot be written.
    """
    check_figure_path(path)
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(buffer, format=path.suffix.lower().lstrip("."), dpi=200)
    try:
        write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise ConfigError(
            f"the figure could not be written: {error.strerror}",
            where=f"--figure {path}",
            hint="is the folder writable and the disk not full?",
        ) from error


def _legend_above(axes: Axes, handles: list[Any]) -> None:
    """Put a legend of one line above the panel, under the title."""
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=len(handles),
        borderaxespad=0.2,
        columnspacing=1.4,
        handlelength=1.6,
    )


def _mark_lifetime(axes: Axes, lifetime: Estimate, decaying: str) -> None:
    """Mark the median survival time with its interval."""
    low, high = lifetime.lower_fs, lifetime.upper_fs
    axes.axvline(lifetime.value_fs, color=GREY, lw=0.8, ls=":")
    if np.isfinite(high):
        axes.axvspan(low, high, color=GREY, alpha=0.10, lw=0)
    # Beside the line at the top, where the decaying state has just left, unless that is the edge.
    late = lifetime.value_fs > 0.75 * axes.get_xlim()[1]
    axes.annotate(
        f"{decaying} median\n{lifetime.value_fs:.0f} fs",
        (max(lifetime.value_fs, high if np.isfinite(high) and not late else 0.0), 0.98),
        (-5 if late else 5, 0),
        textcoords="offset points",
        color=GREY,
        ha="right" if late else "left",
        va="top",
        fontsize=8,
    )


def _draw_numbers(axes: Axes, result: Populations) -> None:
    """Draw n(t), the trajectories that count."""
    total = int(result.trajectories[0] + result.parked[0])
    axes.step(result.time_fs, result.trajectories, where="post", color=INK, lw=0.9)
    axes.set(xlabel="time / fs", ylabel="n(t)", ylim=(0, 1.15 * total))
    axes.set_yticks([0, total])
    axes.set_xlim(result.time_fs[0], max(result.time_fs[-1], result.time_fs[0] + 1e-3))
    if result.parked[-1]:
        axes.annotate(
            f"{result.parked[-1]} parked",
            (1, 0.1),
            xycoords="axes fraction",
            ha="right",
            color=GREY,
            fontsize=8,
        )


def write_title(figure: Figure, title: str, subject: str) -> None:
    """Put a bold title and, below it, what the figure is about at the top left."""
    figure.suptitle(
        f"$\\bf{{{title.replace(' ', chr(92) + ' ')}}}$\n{subject}", x=0.012, ha="left", fontsize=10
    )

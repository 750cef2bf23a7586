"""A figure of several ensembles: one population over time, with bands, and the products."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from namd.analysis.comparison import Comparison, Run
from namd.analysis.figures import GREY, INK, PALE, PALETTE, STYLE, write_title

_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))


def comparison_figure(result: Comparison, *, state: int, subject: str) -> Figure:
    """Draw the population of a state in every run, and the share of every product below.

    Parameters
    ----------
    result
        As computed by :func:`namd.analysis.comparison.compare`.
    state
        0-based.
    subject
        Second line of the title: what the ensembles are.
    """
    with_products = result.runs[0].yields is not None
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 5.2 if with_products else 3.6), layout="constrained")
        if with_products:
            upper, lower = figure.subplots(2, 1, gridspec_kw={"height_ratios": [1.6, 1.0]})
            _draw_products(lower, result.runs)
        else:
            upper = figure.subplots()
        for k, run in enumerate(result.runs):
            _draw_population(upper, run, state, number=k)
        upper.set(xlabel="time / fs", ylim=(-0.02, 1.02))
        upper.set_ylabel(f"population of {result.runs[0].populations.states[state]}")
        upper.set_xlim(0, max(run.populations.time_fs[-1] for run in result.runs))
        upper.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)
        write_title(figure, "Comparison", f"{subject}; bands and bars: 95 % Wilson intervals")
        upper.legend(loc="best", handlelength=2.4)
    return figure


def _draw_population(axes: Axes, run: Run, state: int, *, number: int) -> None:
    found, colour = run.populations, PALETTE[number % len(PALETTE)]
    axes.fill_between(
        found.time_fs,
        found.lower[:, state],
        found.upper[:, state],
        color=colour,
        alpha=0.13,
        linewidth=0,
    )
    style = _STYLES[number // len(PALETTE) % len(_STYLES)]
    axes.plot(
        found.time_fs, found.active[:, state], color=colour, ls=style, lw=1.6, label=run.label
    )


def _draw_products(axes: Axes, runs: Sequence[Run]) -> None:
    """Draw the share of each class as a point with its interval, one colour per run."""
    tables = [run.yields for run in runs if run.yields is not None]
    names = list(tables[0].classes)
    widest = min(0.3, 0.07 * (len(tables) - 1))
    offsets = np.linspace(-widest, widest, len(tables))
    for k, (table, offset) in enumerate(zip(tables, offsets, strict=True)):
        for place, share in enumerate(table.classes.values()):
            fraction, low, high = share.fraction or 0.0, share.lower or 0.0, share.upper or 0.0
            axes.errorbar(
                place + offset,
                fraction,
                yerr=[[fraction - low], [high - fraction]],
                color=PALETTE[k % len(PALETTE)],
                marker="o",
                ms=3.5,
                lw=1.2,
                clip_on=False,
            )
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    for edge in range(1, len(names)):
        axes.axvline(edge - 0.5, color=GREY, lw=0.4, alpha=0.5)
    axes.set(ylabel="share of all", ylim=(0, None), xlim=(-0.5, len(names) - 0.5))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)

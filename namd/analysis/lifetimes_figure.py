"""A figure of lifetimes: the survival curve of all, and of each product's, with the fits."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from namd.analysis.decay_fit import exponential
from namd.analysis.figures import GREY, INK, PALE, PALETTE, STYLE, write_title
from namd.analysis.lifetimes import Lifetime
from namd.analysis.survival import kaplan_meier


def lifetimes_figure(found: Sequence[Lifetime], *, subject: str, until_fs: float) -> Figure:
    """Draw the share that is still excited over time, and the delayed exponentials.

    Parameters
    ----------
    found
        As computed by :func:`namd.analysis.lifetimes.lifetimes`.
    subject
        Second line of the title: what the ensembles are.
    until_fs
        End of the axis of times.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.8), layout="constrained")
        axes = figure.subplots()
        drawn = [each for each in found if each.decayed.any()]
        for each, colour in zip(drawn, (INK, *PALETTE), strict=False):
            _draw(axes, each, colour=colour, until=until_fs)
        axes.plot([], [], color=GREY, lw=1.0, ls=(0, (4, 2)), label="exponential after a delay")
        axes.set(xlabel="time / fs", ylabel="not yet in the ground state", ylim=(-0.02, 1.02))
        axes.set_xlim(0, until_fs)
        axes.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)
        write_title(figure, "Time to the ground state", subject)
        axes.legend(loc="best", handlelength=2.4)
    return figure


def _draw(axes: Axes, lifetime: Lifetime, *, colour: str, until: float) -> None:
    times, survival = kaplan_meier(lifetime.duration_fs, lifetime.decayed)
    last = until if survival[-1] <= 0 else float(lifetime.duration_fs.max())
    axes.step(
        np.concatenate([[0.0], times, [last]]),
        np.concatenate([[1.0], survival, survival[-1:]]),
        where="post",
        color=colour,
        lw=2.0 if lifetime.name == "all" else 1.3,
        label=f"{lifetime.name} ({len(lifetime.decayed)})",
    )
    if lifetime.delayed is not None:
        grid = np.linspace(0, until, 500)
        fitted = exponential(
            grid, lifetime.delayed.delay.value_fs, lifetime.delayed.constant.value_fs
        )
        axes.plot(grid, fitted, color=colour, lw=1.0, ls=(0, (4, 2)))

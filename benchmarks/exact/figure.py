"""One panel per case and method: populations with bands over the exact curves."""

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from exact.cases import CASES
from exact.trajectories import Curves
from namd.analysis.figures import GREY, INK, PALE, PALETTE, STYLE


def draw(rows: list[dict[str, Any]], bands: list[Curves], curves: dict[str, Any]) -> Figure:
    """Cases as rows, methods as columns; exact curves black and dashed.

    Parameters
    ----------
    rows
        What was measured, one entry per case and method.
    bands
        Populations with their errors, as many.
    curves
        Exact populations by case.
    """
    cases = list(dict.fromkeys(row["case"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    with rc_context(STYLE | {"font.size": 8}):
        figure = Figure(
            figsize=(0.4 + 1.6 * len(methods), 0.6 + 1.35 * len(cases)), layout="constrained"
        )
        panels = figure.subplots(len(cases), len(methods), sharey=True, sharex="row", squeeze=False)
        for row, found in zip(rows, bands, strict=True):
            i, j = cases.index(row["case"]), methods.index(row["method"])
            axes, exact = panels[i, j], curves[row["case"]]
            times = exact["time_fs"]
            for k, reference in enumerate(np.transpose(exact["populations"])):
                mean, error = found.populations[:, k], 1.96 * found.standard_errors[:, k]
                axes.fill_between(
                    times, mean - error, mean + error, color=PALETTE[k], alpha=0.25, lw=0
                )
                axes.plot(times, mean, color=PALETTE[k], lw=1.3)
                axes.plot(times, reference, color=INK, lw=0.8, ls=(0, (3, 1.5)))
            axes.set_xlim(times[0], times[-1])
            axes.grid(axis="y", color=PALE, lw=0.4, alpha=0.6)
            axes.text(
                0.97,
                0.96,
                f"mean {row['mean_deviation']:.3f}",
                transform=axes.transAxes,
                ha="right",
                va="top",
                color=GREY,
                fontsize=7,
            )
            if i == 0:
                axes.set_title(row["method"], fontsize=9)
            if i == len(cases) - 1:
                axes.set_xlabel("time / fs")
            if j == 0:
                axes.set_ylabel(CASES[row["case"]].title, fontsize=8)
        panels[0, 0].set(ylim=(-0.05, 1.12), yticks=(0, 0.5, 1))
        _legend(figure, max(found.populations.shape[1] for found in bands))
    return figure


def _legend(figure: Figure, states: int) -> None:
    figure.legend(
        handles=[
            *(Line2D([], [], color=PALETTE[k], lw=1.3, label=f"d{k}") for k in range(states)),
            Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval"),
            Line2D([], [], color=INK, lw=0.8, ls=(0, (3, 1.5)), label="exact"),
        ],
        loc="outside upper center",
        ncols=states + 2,
    )

"""Rounds of active learning in one figure: errors and parked trajectories against labels."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from namd.active.report import Report
from namd.analysis.figures import PALE, PALETTE, STYLE, write_title

_PANELS = (
    ("parked_fraction", "parked trajectories"),
    ("energy_mae_mev", "energy error / meV"),
    ("gap_mae_mev", "gap error / meV"),
    ("force_mae_mev_per_angstrom", "force error / meV/Å"),
    ("coupling_r2", "coupling R²"),
)


def rounds_figure(reports: Sequence[Report], *, subject: str) -> Figure:
    """Draw every number of the rounds that has a value against the number of labels.

    Parameters
    ----------
    reports
        In the order of the rounds.
    subject
        Second line of the title.
    """
    shown = [
        (name, label)
        for name, label in _PANELS
        if any(getattr(report, name) is not None for report in reports)
    ]
    with rc_context(STYLE):
        figure = Figure(figsize=(2.3 * len(shown), 2.7), layout="constrained")
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (name, label) in zip(panels, shown, strict=True):
            points = [
                (report.labels, getattr(report, name))
                for report in reports
                if getattr(report, name) is not None
            ]
            axes.plot(*zip(*points, strict=True), color=PALETTE[0], marker="o", markersize=4)
            axes.set_xlabel("labels")
            axes.set_ylabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.grid(color=PALE, lw=0.4, alpha=0.6)
            if name == "parked_fraction":
                axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            if name != "coupling_r2":
                axes.set_ylim(bottom=0)
        write_title(figure, "Active learning", subject)
    return figure

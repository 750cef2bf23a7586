"""Errors of both ways against the number of labels."""

from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from namd.analysis.figures import PALE, PALETTE, STYLE, write_title

PANELS = (
    ("energy_mae_mev", "energy error / meV"),
    ("gap_mae_mev", "gap error / meV"),
    ("gap_mae_mev_near", "gap error below 1 eV / meV"),
    ("force_mae_mev_per_angstrom", "force error / meV/Å"),
    ("coupling_r2", "coupling R²"),
)
_LOOKS = {"active": (PALETTE[0], "o", "active"), "random": (PALETTE[1], "s", "random")}


def draw(table: dict[str, Any], *, subject: str) -> Figure:
    """Mean and range over seeds of every error.

    Parameters
    ----------
    table
        Way → number of labels → quantity → mean, smallest, largest.
    subject
        Second line of the title.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.8), layout="constrained")
        panels = figure.subplots(2, 3).ravel()
        for axes, (name, label) in zip(panels, PANELS, strict=False):
            for way, (colour, marker, word) in _LOOKS.items():
                points = table[way]
                counts = [int(count) for count in points]
                cells = [points[count][name] for count in points]
                axes.fill_between(
                    counts,
                    [cell["smallest"] for cell in cells],
                    [cell["largest"] for cell in cells],
                    color=colour,
                    alpha=0.18,
                    linewidth=0,
                )
                means = [cell["mean"] for cell in cells]
                axes.plot(counts, means, color=colour, marker=marker, markersize=4, label=word)
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, labels=[str(count) for count in counts])
            axes.minorticks_off()
            axes.set_xlabel("labels")
            axes.set_ylabel(label)
            axes.grid(color=PALE, lw=0.4, alpha=0.6)
        panels[-1].axis("off")
        panels[-1].legend(*panels[0].get_legend_handles_labels(), loc="center left")
        write_title(figure, "Active against random", subject)
    return figure

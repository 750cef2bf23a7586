"""Errors of all networks against what they cost: time above, parameters below.

The time is that of training, or of a step of dynamics where all have trained equally long.
"""

from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from comparison.networks import NETWORKS
from namd.analysis.figures import GREY, INK, PALE, PALETTE, STYLE, write_title

_PANELS = (
    ("energy_mae", "energy error / meV"),
    ("gap_mae", "gap error / meV"),
    ("force_mae", "force error / meV/Å"),
    ("coupling_r2", "coupling R²"),
)
_TIMES = {"training_s": "training time / s", "step_ms": "time of a step / ms"}
_LOOKS = {
    "mace-64": (PALETTE[0], "s"),
    "mace-16": (PALETTE[5], "s"),
    "mofd-sparse-16": (PALETTE[2], "^"),
    "mofd-dense-16": (PALETTE[4], "^"),
    "mace-16-alone": (PALETTE[5], "s"),
    "mofd-sparse-16-alone": (PALETTE[2], "^"),
    "ours-signs": (PALETTE[1], "o"),
    "mace-16-signs": (PALETTE[5], "s"),
    "ours-arctan": (PALETTE[2], "o"),
    "ours-arctan-signs": (PALETTE[0], "o"),
    "cormorant": (PALETTE[3], "D"),
    "cofd": (GREY, "D"),
    "ours": (PALETTE[1], "o"),
    "ours-off": ("white", "o"),
    "ours-off-wide": (PALE, "o"),
    "states": (PALETTE[1], "o"),
    "states-signs": (PALETTE[5], "o"),
    "diabats": (PALETTE[0], "s"),
    "three-diabats": (PALETTE[2], "^"),
    "direct": (GREY, "D"),
}


def draw(case: dict[str, Any]) -> Figure:
    """Mean and standard deviation over seeds on the test frames of a case.

    Parameters
    ----------
    case
        As made by :func:`comparison.collect.collect`.
    """
    networks = {name: found for name, found in case["networks"].items() if found["seeds"]}
    key = "training_s" if "presentations" in case else "step_ms"
    time, label_of_time = _times(networks, key), _TIMES[key]
    with rc_context(STYLE):
        figure = Figure(figsize=(10.2, 5.6), layout="constrained")
        panels = figure.subplots(2, len(_PANELS), sharey="col")
        for column, (quantity, label) in enumerate(_PANELS):
            for row, costs in enumerate((time, _parameters(networks))):
                axes = panels[row, column]
                for name, cost in costs.items():
                    _point(axes, name, cost, networks[name]["test"]["overall"][quantity])
                _logarithmic(axes, unit=1.0 if row == 0 else 1000.0)
                axes.margins(x=0.12, y=0.12)
                axes.grid(color=PALE, lw=0.4, alpha=0.6)
                axes.set_ylabel(label)
                axes.set_xlabel(label_of_time if row == 0 else "parameters / 1000")
            if quantity.endswith("mae"):
                panels[0, column].set_ylim(0, 1.1 * panels[0, column].get_ylim()[1])
        write_title(figure, f"Accuracy at equal {_equal(case)}", _subject(case, networks))
        figure.legend(
            handles=[_handle(name) for name in networks],
            loc="outside lower center",
            ncols=min(len(networks), 5),
        )
    return figure


def _logarithmic(axes: Axes, *, unit: float) -> None:
    """A logarithmic axis with few plain labels, which count in ``unit``."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit:g}"))


def _times(networks: dict[str, Any], key: str) -> dict[str, float]:
    timed = {name: found.get(key) for name, found in networks.items()}
    return {name: time for name, time in timed.items() if time is not None}


def _parameters(networks: dict[str, Any]) -> dict[str, float]:
    return {name: found["parameters"] for name, found in networks.items()}


def _point(axes: Axes, name: str, cost: float, error: dict[str, Any] | None) -> None:
    if error is None:
        return
    face, marker = _LOOKS[name]
    axes.errorbar(
        cost,
        error["mean"],
        yerr=error["sd"],
        color=INK,
        lw=0,
        elinewidth=0.9,
        capsize=2.5,
        marker=marker,
        markersize=7,
        markerfacecolor=face,
        markeredgecolor=INK,
        markeredgewidth=0.8,
    )


def _handle(name: str) -> Line2D:
    face, marker = _LOOKS[name]
    return Line2D(
        [],
        [],
        lw=0,
        marker=marker,
        markersize=7,
        markerfacecolor=face,
        markeredgecolor=INK,
        markeredgewidth=0.8,
        label=NETWORKS[name].title,
    )


def _equal(case: dict[str, Any]) -> str:
    return "budget" if "presentations" in case else "training time"


def _subject(case: dict[str, Any], networks: dict[str, Any]) -> str:
    seeds = [len(found["seeds"]) for found in networks.values()]
    several = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
    bars = "one seed" if max(seeds) == 1 else f"bars: s.d. over {several} seeds"
    budget = f"{case['presentations']} presentations each, " if "presentations" in case else ""
    return f"{case['title']}: {budget}{case['frames']['test']} frames of held-out groups, {bars}"

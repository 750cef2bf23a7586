"""The table of predicted and true errors, and what is said below it."""

from collections.abc import Mapping
from typing import Any

_SHORT = {"energy": "E", "gap": "gap", "force": "F", "coupling": "h"}

Table = Mapping[str, Mapping[str, Any]]
"""As :func:`namd.train.reliability.uncertainty_table` gives it."""


def uncertainty_headings(table: Table) -> list[str]:
    """Headings of :func:`uncertainty_rows`: predicted and true of every quantity."""
    return [
        "",
        *(
            word
            for name, row in table.items()
            for word in (f"{_SHORT[name]} predicted", f"true {row['unit']}")
        ),
    ]


def uncertainty_rows(table: Table) -> list[list[str]]:
    """All frames first, then each gap bin that holds frames; root mean squares."""

    def cells(sizes: Mapping[str, Any]) -> list[str]:
        pair = (sizes["predicted"], sizes["true"])
        return ["–" if value is None else f"{value:.1f}" for value in pair]

    rows = [["all", *(cell for row in table.values() for cell in cells(row))]]
    bins = [row["bins"] for row in table.values()]
    for entries in zip(*bins, strict=True):
        low, high = entries[0]["gap_ev"]
        title = f"gap ≥ {low:g} eV" if high is None else f"{low:g}–{high:g} eV"
        if entries[0]["frames"]:
            rows.append([title, *(cell for entry in entries for cell in cells(entry))])
    return rows


def uncertainty_lines(table: Table, *, calibrated: bool) -> list[str]:
    """What the scores say, a line per quantity."""
    lines = []
    for name, row in table.items():
        if row["nll_after"] is None:
            lines.append(f"{_SHORT[name]}: no deviations, nothing can be said")
            continue
        now = f"ENCE {100 * row['ence_after']:.0f} %, NLL {row['nll_after']:.3f}"
        if calibrated and row["nll_before"] is not None:
            before = f"{100 * row['ence_before']:.0f} %, {row['nll_before']:.3f}"
            now += f" (without the factor {row['scale']:.3g}: {before})"
        lines.append(f"{_SHORT[name]}: {now}")
    return lines

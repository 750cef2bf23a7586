"""Parity plots: predicted against reference, coloured by the gap."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from namd.io.atomic import write_bytes
from namd.train.metrics import Comparison

_MOST_POINTS = 20_000
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def write_parity_figure(
    comparison: Comparison, path: Path, *, labels: Sequence[str], title: str
) -> None:
    """Energies, gaps, forces and couplings, predicted against reference, as one PNG.

    Energies are relative to the lowest reference energy. Of forces and couplings at most 20 000
    evenly chosen components per state or pair are drawn.
    """
    c = comparison
    coupled = c.coupling is not None and c.coupling.shape[1] > 0
    panels = 4 if coupled else (3 if len(labels) > 1 else 2)
    figure = Figure(figsize=(3.4 * panels, 3.7), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, panels)))
    figure.suptitle(title, fontsize=11)
    zero = c.reference_energies.min()
    for k, label in enumerate(labels):
        reference, ours = c.reference_energies[:, k] - zero, c.energies[:, k] - zero
        _scatter(axes[0], reference, ours, k, label)
    _finish(axes[0], "energy / eV")
    for k, label in enumerate(labels):
        reference, ours = c.reference_forces[:, k].ravel(), c.forces[:, k].ravel()
        _scatter(axes[1], reference, ours, k, label, unit="meV/Å")
    _finish(axes[1], "force component / eV Å⁻¹")
    first, second = np.triu_indices(len(labels), k=1)
    names = [f"{labels[int(i)]}–{labels[int(j)]}" for i, j in zip(first, second, strict=True)]
    if len(labels) > 1:
        for k, name in enumerate(names):
            _scatter(axes[2], c.reference_gaps[:, k], c.gaps[:, k], k, name)
        _finish(axes[2], "gap / eV")
    if c.coupling is not None and c.reference_coupling is not None and coupled:
        for k, name in enumerate(names):
            reference, ours = c.reference_coupling[:, k].ravel(), c.coupling[:, k].ravel()
            _scatter(axes[3], reference, ours, k, name, unit="meV/Å")
        _finish(axes[3], "interstate coupling h / eV Å⁻¹")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    write_bytes(path, buffer.getvalue())


def _scatter(axes, reference, ours, number, label, unit="meV") -> None:  # type: ignore[no-untyped-def]
    known = np.isfinite(reference)
    reference, ours = reference[known], ours[known]
    if not len(reference):
        return
    stride = max(1, len(reference) // _MOST_POINTS)
    axes.plot(
        reference[::stride],
        ours[::stride],
        ".",
        markersize=2.5,
        alpha=0.5,
        color=_COLOURS[number % len(_COLOURS)],
        markeredgewidth=0,
        label=f"{label}  MAE {1e3 * np.abs(ours - reference).mean():.0f} {unit}",
        rasterized=True,
    )


def _finish(axes, quantity) -> None:  # type: ignore[no-untyped-def]
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([low, high], [low, high], color="0.35", linewidth=0.8, zorder=0)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel(f"reference {quantity}")
    axes.set_ylabel("predicted")
    axes.legend(frameon=False, fontsize=8, markerscale=4, loc="upper left", handletextpad=0.2)
    axes.spines[["top", "right"]].set_visible(False)

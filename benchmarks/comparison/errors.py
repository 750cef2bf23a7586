"""Errors per state and per pair, over all frames and per gap bin, as plain JSON types.

Beside the mean absolute errors of :mod:`namd.train.metrics` these are root mean squares, and
couplings pair by pair. Couplings are h_ij after the joint choice of signs, as there.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from namd.train.metrics import GAP_BINS_EV, Comparison

MILLI = 1e3


def errors(comparison: Comparison) -> dict[str, Any]:
    """Errors over all frames, and of the frames whose smallest reference gap lies in each bin.

    Returns
    -------
    dict
        ``frames``; ``energy`` and ``force`` with one entry per state, ``gap`` and ``coupling``
        with one per pair: ``mae`` and ``rmse`` (meV, meV/Å; forces and couplings per Cartesian
        component), None where no label is known; couplings also ``r2`` = 1 − Σ|h − h_ref|² /
        Σ|h_ref|² and the mean ``cosine``. ``bins``: the same with ``gap_ev`` = [lo, hi).
    """
    table = _of_rows(comparison, np.ones(len(comparison.energies), dtype=bool))
    smallest = comparison.reference_gaps.min(1)
    bins = []
    for low, high in pairwise(GAP_BINS_EV):
        rows = (smallest >= low) & (smallest < high)
        if rows.any():
            edges = [low, high if np.isfinite(high) else None]
            bins.append({"gap_ev": edges, **_of_rows(comparison, rows)})
    return table | {"bins": bins}


def _of_rows(c: Comparison, rows: np.ndarray) -> dict[str, Any]:
    table = {
        "frames": int(rows.sum()),
        "energy": _columns((c.energies - c.reference_energies)[rows]),
        "force": _columns((c.forces - c.reference_forces)[rows]),
        "gap": _columns((c.gaps - c.reference_gaps)[rows]),
    }
    if c.coupling is None or c.reference_coupling is None:
        return table
    ours, theirs = c.coupling[rows], c.reference_coupling[rows]
    entries = []
    for pair, entry in enumerate(_columns(ours - theirs)):
        known = np.isfinite(theirs[:, pair]).all((1, 2))
        entries.append(entry | _agreement(ours[known, pair], theirs[known, pair]))
    return table | {"coupling": entries}


def _columns(differences: np.ndarray) -> list[dict[str, float | None]]:
    """Errors along axis 1 (states or pairs); unknown labels (NaN) are left out."""
    entries: list[dict[str, float | None]] = []
    for column in np.moveaxis(differences, 1, 0):
        known = column[np.isfinite(column)]
        entries.append(
            {
                "mae": MILLI * float(np.abs(known).mean()) if known.size else None,
                "rmse": MILLI * float(np.sqrt((known**2).mean())) if known.size else None,
            }
        )
    return entries


def _agreement(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float | None]:
    """R² about zero and mean cosine of couplings [frame, atom, 3]."""
    squares = float((theirs**2).sum())
    norms = np.sqrt((ours**2).sum((-1, -2)) * (theirs**2).sum((-1, -2)))
    dots = (ours * theirs).sum((-1, -2))
    there = norms > 0
    return {
        "r2": 1.0 - float(((ours - theirs) ** 2).sum()) / squares if squares else None,
        "cosine": float((dots[there] / norms[there]).mean()) if there.any() else None,
    }

"""What a model says of its errors beside its errors: factors, scores, gap bins.

The factors are fitted on validation frames, which no weight was fitted to (they decided only when
to stop), and kept with the model; test frames are only ever looked at through them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from namd.analysis.calibration import (
    calibration_error,
    fit_scale,
    known,
    negative_log_likelihood,
    reliability_bins,
    root_mean_square,
)
from namd.train.metrics import GAP_BINS_EV, Comparison

QUANTITIES = ("energy", "gap", "force", "coupling")
UNITS = {"energy": "meV", "gap": "meV", "force": "meV/Å", "coupling": "meV/Å"}


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Errors of one quantity and the deviations that stand for them, eV or eV/Å.

    Parameters
    ----------
    error
        Predicted less true; NaN where the truth is unknown.
    deviation
        Not calibrated.
    """

    error: Float[np.ndarray, "frame column *component"]
    deviation: Float[np.ndarray, "frame column *component"]


def doubts(comparison: Comparison) -> dict[str, Doubt]:
    """Errors and deviations by quantity; empty of a model that says nothing of its errors."""
    c, spread = comparison, comparison.spread
    if spread is None:
        return {}
    found = {
        "energy": Doubt(error=c.energies - c.reference_energies, deviation=spread.energies),
        "gap": Doubt(error=c.gaps - c.reference_gaps, deviation=spread.gaps),
        "force": Doubt(error=c.forces - c.reference_forces, deviation=spread.forces),
    }
    if c.coupling is not None and c.reference_coupling is not None:
        error = c.coupling - c.reference_coupling
        found["coupling"] = Doubt(error=error, deviation=spread.coupling)
    return {name: doubt for name, doubt in found.items() if doubt.error.size}


def calibrate(validation: Comparison) -> dict[str, Any]:
    """Fit the factors and tell how they were found; empty where there is nothing to fit.

    Returns
    -------
    dict
        ``frames``; ``groups`` are the caller's; ``scales``: quantity → factor.
    """
    fitted = {
        name: fit_scale(doubt.error, doubt.deviation) for name, doubt in doubts(validation).items()
    }
    scales = {name: scale for name, scale in fitted.items() if scale is not None}
    return {"frames": len(validation.energies), "scales": scales} if scales else {}


def uncertainty_table(
    comparison: Comparison, scales: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Predicted and true errors of every quantity, as plain JSON types.

    Parameters
    ----------
    comparison
        Of the frames that are judged.
    scales
        Quantity → factor; one that is missing counts as 1.

    Returns
    -------
    dict
        Quantity → ``unit``; ``scale``; ``values``, how many; ``predicted`` and ``true``, root mean
        squares of calibrated deviations and of errors; ``nll_before``, ``nll_after`` (nats per
        value, of errors in eV or eV/Å) and ``ence_before``, ``ence_after``: scores without and with
        the factor (:mod:`namd.analysis.calibration`), without: None where the deviation is a
        distance; ``bins``: the first for frames whose smallest
        reference gap lies in ``gap_ev``; ``reliability``: the same in ten bins by deviation.
    """
    return {
        name: _row(name, doubt, comparison, scales.get(name, 1.0))
        for name, doubt in doubts(comparison).items()
    }


def _row(name: str, doubt: Doubt, comparison: Comparison, scale: float) -> dict[str, Any]:
    error, plain = doubt.error, doubt.deviation
    freedom = np.inf if comparison.spread is None else comparison.spread.freedom
    after = reliability_bins(error, scale * plain)
    before = reliability_bins(error, plain) if np.isfinite(freedom) else ()
    return {
        "unit": UNITS[name],
        "scale": scale,
        **_sizes(error, scale * plain),
        "nll_before": negative_log_likelihood(error, plain, freedom=freedom) if before else None,
        "nll_after": negative_log_likelihood(error, scale * plain, freedom=freedom),
        "ence_before": calibration_error(before),
        "ence_after": calibration_error(after),
        "bins": _gap_bins(error, scale * plain, comparison),
        "reliability": [
            {"predicted": 1e3 * each.predicted, "true": 1e3 * each.true, "values": each.count}
            for each in after
        ],
    }


def _gap_bins(error: np.ndarray, deviation: np.ndarray, c: Comparison) -> list[dict[str, Any]]:
    if c.energies.shape[1] < 2:
        return []
    smallest = c.reference_gaps.min(1)
    bins = []
    for low, high in pairwise(GAP_BINS_EV):
        rows = (smallest >= low) & (smallest < high)
        edge = [low, high if np.isfinite(high) else None]
        sizes = _sizes(error[rows], deviation[rows])
        bins.append({"gap_ev": edge, "frames": int(rows.sum()), **sizes})
    return bins


def _sizes(error: np.ndarray, deviation: np.ndarray) -> dict[str, Any]:
    e, sigma = known(error, deviation)
    return {
        "values": len(e),
        "predicted": 1e3 * root_mean_square(sigma) if e.size else None,
        "true": 1e3 * root_mean_square(e) if e.size else None,
    }

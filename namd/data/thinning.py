"""Keep the frames of a trajectory that tell something new.

Neighbouring frames 0.5 fs apart are nearly equal, so every trajectory is walked in time and a
frame is kept once it differs enough from the last kept one:

    D² = (‖x − x'‖ / X0)² + Σ_k [ln((g_k + G0)/(g'_k + G0)) / L0]² ≥ s²

x are the inverse interatomic distances of all atom pairs (1/Bohr; invariant to rotation and
translation, and most sensitive where atoms are close), g_k the gaps of neighbouring states. The
logarithm makes the rule dense where a gap is small and couplings turn fast, and G0 keeps it from
diverging at an intersection. The spacing s is the one number that sets how many frames remain.

Frames without a time (Wigner samples, scans, searches for an intersection) were chosen one by one
by whoever made the set and are all kept. A frame that repeats an earlier one of its own group is
dropped first. No randomness: the same input gives the same frames.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from namd.data.dataset import Dataset
from namd.data.distances import inverse_distances
from namd.data.repeats import repeated_frames
from namd.data.walks import trajectory_walks
from namd.errors import DataError
from namd.units import EV_PER_HARTREE

GEOMETRY_SCALE = 0.05
"""X0 in 1/Bohr: about the step of a frame in which every C–H bond has stretched by 0.06 Bohr."""
GAP_SCALE = 0.15
"""L0: a gap change of 15 % counts as much as a geometry change of X0."""
GAP_FLOOR = 0.05 / EV_PER_HARTREE
"""G0 in Hartree (0.05 eV)."""
_BISECTIONS = 40


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """One trajectory in the coordinates of the metric."""

    frames: Int[np.ndarray, " step"]
    coordinates: Float[np.ndarray, "step feature"]


def thin(
    dataset: Dataset, *, max_frames: int | None = None, spacing: float | None = None
) -> Dataset:
    """Thin trajectories to frames that differ by a given spacing, or to a number of frames.

    Parameters
    ----------
    dataset
        Frames; those with a time are thinned.
    max_frames
        The largest number of frames to keep, all sources together. The smallest spacing that
        keeps no more is found by bisection; it is 0 where there are no more to begin with.
    spacing
        s of the rule, dimensionless; exclusive with ``max_frames``.

    Returns
    -------
    Dataset
        The frames kept, in their old order, with the rule and its parameters appended to
        ``provenance["steps"]``.

    Raises
    ------
    DataError
        If neither or both of the two numbers are given, or the frames that are always kept are
        already more than ``max_frames``.
    """
    if (max_frames is None) == (spacing is None):
        raise DataError("thinning needs either max_frames or spacing, not both", where="thinning")
    whole = len(dataset)
    dataset = _without_repeats(dataset)
    walks = [_embed(dataset, frames) for frames in trajectory_walks(dataset)]
    fixed = np.setdiff1d(
        np.arange(len(dataset)), np.concatenate([w.frames for w in walks] or [np.zeros(0, int)])
    )
    if max_frames is not None:
        spacing = (
            0.0
            if len(dataset) <= max_frames
            else _spacing_for(walks, budget=max_frames - len(fixed), fixed=len(fixed))
        )
    elif spacing is None or not spacing > 0:
        raise DataError(f"the spacing is {spacing}, expected a number above 0", where="thinning")
    kept = np.sort(np.concatenate([fixed, *(w.frames[_kept(w, spacing)] for w in walks)]))
    record = _record(whole, dropped=whole - len(dataset), kept=kept.size, spacing=spacing)
    steps = [*dataset.provenance.get("steps", []), record]
    return replace(dataset.select(kept), provenance={**dataset.provenance, "steps": steps})


def _without_repeats(dataset: Dataset) -> Dataset:
    later, earlier = repeated_frames(dataset)
    own = dataset["group"][later] == dataset["group"][earlier]
    return dataset.select(np.setdiff1d(np.arange(len(dataset)), later[own]))


def _embed(dataset: Dataset, frames: Int[np.ndarray, " step"]) -> _Walk:
    """Coordinates in which the metric D is the Euclidean distance."""
    geometry = inverse_distances(dataset["positions"][frames]) / GEOMETRY_SCALE
    gaps = np.diff(dataset["energies"][frames], axis=1)
    electronic = np.log(np.maximum(gaps, 0.0) + GAP_FLOOR) / GAP_SCALE
    return _Walk(frames=frames, coordinates=np.concatenate([geometry, electronic], axis=1))


def _kept(walk: _Walk, spacing: float) -> list[int]:
    """Positions on the walk that are kept: the first, then each that lies ``spacing`` off."""
    kept = [0]
    while True:
        last = kept[-1]
        away = np.linalg.norm(walk.coordinates[last + 1 :] - walk.coordinates[last], axis=1)
        further = np.flatnonzero(away >= spacing)
        if further.size == 0:
            return kept
        kept.append(last + 1 + int(further[0]))


def _spacing_for(walks: list[_Walk], *, budget: int, fixed: int) -> float:
    """Smallest spacing, to the accuracy of the bisection, that keeps at most ``budget`` frames."""
    if budget < len(walks):
        raise DataError(
            f"at most {fixed + budget} frames are asked for, but {fixed} frames without a time "
            f"and the first of each of {len(walks)} trajectory stretches are always kept",
            where="thinning",
            hint=f"ask for {fixed + len(walks)} or more",
        )
    low, high = 0.0, 1.0
    while sum(len(_kept(walk, high)) for walk in walks) > budget:
        low, high = high, 2.0 * high
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if sum(len(_kept(walk, middle)) for walk in walks) > budget:
            low = middle
        else:
            high = middle
        if high - low < 1e-4 * high:
            break
    return high


def _record(whole: int, *, dropped: int, kept: int, spacing: float) -> dict[str, Any]:
    return {
        "step": "thin",
        "rule": "walk each trajectory in time, keep a frame when D from the last kept frame is at "
        "least `spacing`; D^2 = (|d(1/r)|/geometry_scale)^2 + sum over neighbouring states of "
        "(d ln(gap + gap_floor)/gap_scale)^2; frames without a time are all kept",
        "spacing": round(spacing, 6),
        "geometry_scale_per_bohr": GEOMETRY_SCALE,
        "gap_scale": GAP_SCALE,
        "gap_floor_ev": round(GAP_FLOOR * EV_PER_HARTREE, 9),
        "frames_before": whole,
        "repeats_dropped": dropped,
        "frames_after": kept,
    }

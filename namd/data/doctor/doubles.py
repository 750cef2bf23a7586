"""The same geometry twice: a weight of two, a leak from training into the test, a contradiction.

Geometries are compared by the inverse distances of all pairs of atoms, which neither rotation nor
translation changes (nor reflection: mirror images have equal labels up to it). Candidates come from
a k-d tree in the few directions along which the set spreads most; a projection never makes two
geometries lie further apart, so none is missed.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from namd.data.dataset import Dataset
from namd.data.distances import inverse_distances
from namd.data.finding import Finding, hits
from namd.data.repeats import repeated_frames
from namd.units import EV_PER_HARTREE

NEAR = 1e-3
"""‖Δ(1/r)‖ in 1/Bohr below which two geometries are nearly one. Neighbours 0.5 fs apart differ by
0.005 or more in the stilbene trajectories; thinning to 0.08 is what training needs."""
CONTRADICTION = 0.05 / EV_PER_HARTREE
"""Difference of any gap (50 meV) that so small a change of geometry cannot make."""
_DIRECTIONS = 8


def find_doubles(dataset: Dataset) -> list[Finding]:
    """Find repeated, nearly repeated and contradictory frames."""
    later, earlier = repeated_frames(dataset)
    foreign = dataset["group"][later] != dataset["group"][earlier]
    near, first = near_repeats(dataset)
    strange = _other_than(near, later) & (dataset["group"][near] != dataset["group"][first])
    gaps = np.diff(dataset["energies"], axis=1)
    apart = (np.abs(gaps[near] - gaps[first]) > CONTRADICTION).any(axis=1)
    return [
        *_marked(
            dataset,
            later[~foreign],
            kind="repeat",
            message="repeat a frame of their own group",
            hint="they weigh double in training; leave one of each out",
            fixable=True,
        ),
        *_marked(
            dataset,
            later[foreign],
            kind="leak",
            message="repeat a frame of another group: a split may leak them into the test",
            hint="leave one of each out, or give both groups one name",
            fixable=True,
        ),
        *_marked(
            dataset,
            near[strange & ~apart],
            kind="near-leak",
            message="nearly repeat a frame of another group: a split may leak them into the test",
            hint="give groups that come from one another one name",
        ),
        *_marked(
            dataset,
            near[apart],
            kind="contradiction",
            message="have the geometry of an earlier frame but other gaps (> 50 meV)",
            hint="one of the two is another electronic solution: label both again",
        ),
    ]


def near_repeats(
    dataset: Dataset,
) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """Find pairs of frames whose geometries nearly agree (see :data:`NEAR`), repeats included.

    Returns
    -------
    later, earlier
        Frame numbers, ``later`` ascending.
    """
    nothing = np.zeros(0, dtype=np.int64)
    if len(dataset.molecule) < 2:
        return nothing, nothing
    inverse = inverse_distances(dataset["positions"])
    known = np.flatnonzero(np.isfinite(inverse).all(axis=1))
    if known.size < 2:
        return nothing, nothing
    inverse = inverse[known]
    pairs = cKDTree(_projected(inverse)).query_pairs(NEAR, output_type="ndarray")
    near = np.linalg.norm(inverse[pairs[:, 0]] - inverse[pairs[:, 1]], axis=1) < NEAR
    pairs = np.sort(known[pairs[near]], axis=1)
    pairs = pairs[np.lexsort(pairs.T)]
    return pairs[:, 1], pairs[:, 0]


def _projected(inverse: Float[np.ndarray, "frame atompair"]) -> Float[np.ndarray, "frame few"]:
    centred = inverse - inverse.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)  # ascending: the widest come last
    projected: np.ndarray = centred @ directions[:, -_DIRECTIONS:]
    return projected


def _other_than(
    frames: Int[np.ndarray, " pair"], known: Int[np.ndarray, " repeat"]
) -> Bool[np.ndarray, " pair"]:
    return np.isin(frames, known, invert=True)


def _marked(
    dataset: Dataset,
    frames: Int[np.ndarray, " marked"],
    *,
    kind: str,
    message: str,
    hint: str,
    fixable: bool = False,
) -> list[Finding]:
    mask = np.zeros(len(dataset), dtype=bool)
    mask[frames] = True
    return hits(
        mask,
        kind=kind,
        severity="warning",
        name="positions",
        message=message,
        hint=hint,
        fixable=fixable,
    )

"""Which frames to label: those the model is unsure of, and of these a varied batch.

A candidate deserves a label for one or more reasons:

==============  =====================================================================
``parked``      a trajectory was stopped with it
``energy``      the members of the committee disagree about an energy (a single model
                expects an error of it),
``gap``         … about a gap,
``force``       … or about a force
``degenerate``  two states come near to each other: what couplings are learned from
``novel``       it lies far from everything labelled, in the features of the model
==============  =====================================================================

Each has a limit. Where it is not given, that of a disagreement is a quantile of the same number
over the labelled frames (without any, over the candidates), that of novelty a quantile of the
distances of labelled frames from those of other groups: more than is usual where the model is at
home.

The reasons take turns. Each time the one whose turn it is takes, of its strongest candidates
(several times as many as asked for), the one that lies farthest in the features from everything
labelled and taken. So every reason has its share while it lasts, and neither two frames of the
batch nor one of it and a labelled one are nearly the same.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from namd.active.measures import UNCERTAINTIES, Measures
from namd.config.active_learning import SelectionConfig
from namd.nn.descriptors import Standard
from namd.sampling.farthest import nearest_distances
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

PARKED, DEGENERATE, NOVEL, FARTHEST = "parked", "degenerate", "novel", "farthest"
RANDOM = "random"
REASONS = (PARKED, *UNCERTAINTIES, DEGENERATE, NOVEL, FARTHEST)
"""The last one is that of a frame which only fills the batch up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What was chosen.

    Parameters
    ----------
    rows
        Numbers of the candidates, in the order in which they were taken.
    reasons
        Of each, names of :data:`REASONS`.
    score
        Largest of its numbers relative to their limits; infinite for a parked frame.
    novelty
        Distance of every *candidate* from the nearest labelled frame, in standard deviations of
        the features; infinite where nothing is labelled.
    limits
        Of each reason that has one, atomic units; ``novel`` in standard deviations.
    counts
        How many candidates each reason holds for.
    eligible
        Candidates with a reason.
    """

    rows: Int[np.ndarray, " chosen"]
    reasons: tuple[tuple[str, ...], ...]
    score: Float[np.ndarray, " chosen"]
    novelty: Float[np.ndarray, " frame"]
    limits: dict[str, float]
    counts: dict[str, int]
    eligible: int


def choose(
    candidates: Measures,
    parked: Bool[np.ndarray, " frame"],
    *,
    config: SelectionConfig,
    known: Measures | None = None,
    groups: Shaped[np.ndarray, " known"] | None = None,
) -> Batch:
    """Choose a batch.

    Parameters
    ----------
    candidates
        Measured frames to choose from.
    parked
        Which of them trajectories were parked with.
    config
        Budget and limits.
    known
        Measured frames that have labels.
    groups
        Of the known frames; each one a group of its own if left out.

    Returns
    -------
    Batch
        The same input gives the same batch; nothing is drawn but with ``config.random``.
    """
    reference = candidates if known is None else known
    standard = Standard.of(reference.features)
    features = standard(candidates.features)
    usual = _usual_distances(standard(reference.features), None if known is None else groups)
    novelty = np.full(len(candidates), np.inf)
    if known is not None:
        novelty = nearest_distances(features, standard(known.features))
    limits = _limits(reference, usual, config)
    relative = _relative(candidates, novelty, limits, known=known is not None)
    relative[PARKED] = np.where(parked, np.inf, 0.0)
    holds = {name: relative[name] >= 1.0 for name in REASONS if name in relative}
    eligible = np.any(list(holds.values()), axis=0)
    if config.random is not None:
        taken = _drawn(len(candidates), config.budget, seed=config.random)
    else:
        closest = config.closest * float(np.median(usual))
        turns = {name: _strongest(relative[name], holds[name], config) for name in holds}
        turns_of = partial(_take_turns, features, closest=closest)
        taken, nearest = turns_of(turns, nearest=novelty, number=config.budget)
        if config.fill:
            rest = {FARTHEST: np.flatnonzero(~eligible)}
            more, _ = turns_of(rest, nearest=nearest, number=config.budget - len(taken))
            taken += more
    rows = np.array(taken, dtype=np.int64)
    return Batch(
        rows=rows,
        reasons=((RANDOM,),) * len(taken)
        if config.random is not None
        else tuple(_reasons_of(row, holds) for row in taken),
        score=np.max(list(relative.values()), axis=0)[rows],
        novelty=novelty,
        limits=limits,
        counts={name: int(mask.sum()) for name, mask in holds.items()},
        eligible=int(eligible.sum()),
    )


def _drawn(candidates: int, number: int, *, seed: int) -> list[int]:
    """So many candidates, all alike likely."""
    rng = np.random.default_rng(seed)
    drawn: list[int] = rng.choice(candidates, size=min(number, candidates), replace=False).tolist()
    return drawn


def _usual_distances(
    features: Float[np.ndarray, "known feature"], groups: Shaped[np.ndarray, " known"] | None
) -> Float[np.ndarray, " known"]:
    """Distances from the nearest frame of another group, or other frame where all are one."""
    names = np.arange(len(features))
    if groups is not None and len(np.unique(groups)) > 1:
        names = np.unique(groups, return_inverse=True)[1]
    return nearest_distances(features, features, groups=names)


def _strongest(
    values: Float[np.ndarray, " frame"], holds: Bool[np.ndarray, " frame"], config: SelectionConfig
) -> Int[np.ndarray, " strongest"]:
    """Candidates for which a reason holds most, in their old order."""
    rows = np.flatnonzero(holds)
    best = rows[np.argsort(-values[rows], kind="stable")]
    return np.sort(best[: config.pool * config.budget])


def _take_turns(
    features: Float[np.ndarray, "frame feature"],
    turns: Mapping[str, Int[np.ndarray, " some"]],
    *,
    nearest: Float[np.ndarray, " frame"],
    number: int,
    closest: float,
) -> tuple[list[int], Float[np.ndarray, " frame"]]:
    """Take frames, each the farthest of all those whose turn it is.

    Returns the frames taken, and the distances from everything labelled or taken after that;
    ``nearest`` are those before.
    """
    taken: list[int] = []
    nearest, waiting = nearest.copy(), deque(turns.values())
    squares = np.square(features).sum(axis=1)
    while waiting and len(taken) < number:
        rows = waiting.popleft()
        if not rows.size or nearest[farthest := int(rows[nearest[rows].argmax()])] <= closest:
            continue  # of this reason everything is taken or nearly known
        taken.append(farthest)
        away = squares + squares[farthest] - 2.0 * features @ features[farthest]
        nearest = np.minimum(nearest, np.sqrt(np.maximum(away, 0.0)))
        nearest[farthest] = 0.0
        waiting.append(rows)
    return taken, nearest


def _limits(
    reference: Measures, usual: Float[np.ndarray, " frame"], config: SelectionConfig
) -> dict[str, float]:
    given = {
        "energy": (config.energy_ev, EV_PER_HARTREE),
        "gap": (config.gap_ev, EV_PER_HARTREE),
        "force": (config.force_ev_per_angstrom, EV_PER_ANGSTROM_PER_ATOMIC_FORCE),
    }
    limits = {}
    for name, values in reference.deviations.items():
        limit, unit = given[name]
        usually = float(np.quantile(values, config.quantile))
        limits[name] = usually if limit is None else limit / unit
    if config.degenerate_ev is not None:
        limits[DEGENERATE] = config.degenerate_ev / EV_PER_HARTREE
    limits[NOVEL] = float(np.quantile(usual, config.quantile))
    return limits


def _relative(
    candidates: Measures,
    novelty: Float[np.ndarray, " frame"],
    limits: Mapping[str, float],
    *,
    known: bool,
) -> dict[str, Float[np.ndarray, " frame"]]:
    """Numbers relative to their limits: a reason holds from 1 on."""
    tiny = np.finfo(np.float64).tiny
    found = {
        name: values / max(limits[name], tiny) for name, values in candidates.deviations.items()
    }
    if DEGENERATE in limits:
        # From 1 at the limit to 2 where the gap vanishes: never above all disagreement.
        found[DEGENERATE] = 2.0 - np.minimum(candidates.gap / limits[DEGENERATE], 2.0)
    if known:
        found[NOVEL] = novelty / max(limits[NOVEL], tiny)
    return found


def _reasons_of(row: int, holds: Mapping[str, Bool[np.ndarray, " frame"]]) -> tuple[str, ...]:
    return tuple(name for name in REASONS if name in holds and holds[name][row]) or (FARTHEST,)

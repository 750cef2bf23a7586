"""Which frames to label: those the model is unsure of, and of these a varied batch.

A candidate deserves a label for one or more reasons:

==============  =====================================================================
``parked``      a trajectory was stopped with it
``energy``      the members of the committee disagree about an energy,
``gap``         … about a gap,
``force``       … or about a force
``degenerate``  two states come near to each other: what couplings are learned from
``novel``       it lies far from everything labelled, in the features of the model
==============  =====================================================================

Each has a limit. Where it is not given, that of a disagreement or a distance is a quantile of the
same number over the labelled frames (without any, over the candidates): more than what is usual
where the model is at home. A candidate's score is the largest of its numbers relative to their
limits; parked frames come first. From the best, several times as many as asked for, the batch is
taken by farthest points in the features, starting from what is labelled, so that neither two of it
nor one of it and a labelled frame are nearly the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from namd.active.measures import UNCERTAINTIES, Measures
from namd.config.active_learning import SelectionConfig
from namd.nn.descriptors import Standard
from namd.sampling.farthest import farthest_points, nearest_distances
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

PARKED, DEGENERATE, NOVEL, FARTHEST = "parked", "degenerate", "novel", "farthest"
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

    Returns
    -------
    Batch
        No randomness: the same input gives the same batch.
    """
    reference = candidates if known is None else known
    standard = Standard.of(reference.features)
    ours = standard(candidates.features)
    theirs = None if known is None else standard(known.features)
    novelty = np.full(len(candidates), np.inf)
    usual = nearest_distances(standard(reference.features), standard(reference.features), same=True)
    if theirs is not None:
        novelty = nearest_distances(ours, theirs)
    limits = _limits(reference, usual, config)
    relative = _relative(candidates, novelty, limits, known=known is not None)
    holds = {PARKED: parked} | {name: values >= 1.0 for name, values in relative.items()}
    any_reason = np.any(list(holds.values()), axis=0)
    score = np.where(parked, np.inf, np.max([*relative.values(), np.zeros(len(parked))], axis=0))

    eligible = np.flatnonzero(any_reason)
    best = eligible[np.argsort(-score[eligible], kind="stable")][: config.pool * config.budget]
    pool = np.sort(best)
    closest = config.closest * float(np.median(usual))
    taken = pool[
        farthest_points(ours[pool], number=config.budget, closest=closest, known=theirs).frames
    ]
    if config.fill and len(taken) < config.budget:
        rest = np.setdiff1d(np.arange(len(candidates)), eligible)
        seen = ours[taken] if theirs is None else np.concatenate([theirs, ours[taken]])
        missing = config.budget - len(taken)
        more = farthest_points(ours[rest], number=missing, closest=closest, known=seen)
        taken = np.concatenate([taken, rest[more.frames]])
    return Batch(
        rows=taken,
        reasons=tuple(_reasons_of(row, holds) for row in taken.tolist()),
        score=score[taken],
        novelty=novelty,
        limits=limits,
        counts={name: int(mask.sum()) for name, mask in holds.items()},
        eligible=len(eligible),
    )


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

"""Ensembles set beside each other: what differs, by how much, and whether chance would do.

Runs that began alike (the same positions, velocities and states, row by row) are compared in pairs:
what a trajectory's start decides is common to both and cancels in the difference, so that far fewer
trajectories tell two methods apart than independent samples would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from namd.analysis.intervals import newcombe
from namd.analysis.populations import Populations, populations
from namd.analysis.survival import (
    Estimate,
    SurvivalTimes,
    bootstrap_difference,
    bootstrap_median,
    survival_times,
)
from namd.analysis.yields import Yields, outcome_names, outcomes, quantum_yields
from namd.config.classes import AnalysisConfig
from namd.errors import DataError
from namd.io.ensemble import Ensemble

_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference of two fractions with its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """One ensemble of a comparison.

    Parameters
    ----------
    label
        Name in tables and figures.
    populations, survival, lifetime
        As ``namd analyze populations`` gives them.
    yields
        None without declared classes.
    """

    label: str
    populations: Populations
    survival: SurvivalTimes
    lifetime: Estimate | None
    yields: Yields | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Versus:
    """One run less the first one.

    Parameters
    ----------
    label
        Of the run.
    paired
        Both began alike, row by row.
    lifetime
        Difference of the median survival times; None where one is not reached.
    shares
        Difference of the share of all trajectories, for every class, ``undecided`` and ``failed``.
    """

    label: str
    paired: bool
    lifetime: Estimate | None
    shares: dict[str, Difference]


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """Runs, and the differences of all but the first from the first."""

    runs: tuple[Run, ...]
    differences: tuple[Versus, ...]


def compare(
    ensembles: Sequence[Ensemble], labels: Sequence[str], *, classes: AnalysisConfig | None
) -> Comparison:
    """Set ensembles beside each other.

    Parameters
    ----------
    ensembles
        Two or more, as read by :func:`namd.io.ensemble.read_ensemble`.
    labels
        One for each.
    classes
        What counts as which product; None: products are not compared.

    Raises
    ------
    DataError
        If the ensembles are of different molecules or states.
    ConfigError
        If a coordinate of a class names an atom the molecule does not have.
    """
    first = ensembles[0]
    for other in ensembles[1:]:
        refuse_other_subject(first, other)
    return Comparison(
        runs=tuple(
            _run(ensemble, label, classes)
            for ensemble, label in zip(ensembles, labels, strict=True)
        ),
        differences=tuple(
            _versus(first, ensemble, label, classes)
            for ensemble, label in zip(ensembles[1:], labels[1:], strict=True)
        ),
    )


def began_alike(first: Ensemble, second: Ensemble) -> bool:
    """Whether row i of both started from the same positions, velocities and state.

    Velocities enter by the total energy of the first frame; frames are saved in single precision.
    """
    if not np.array_equal(first.trajectory_id, second.trajectory_id):
        return False
    return bool(
        np.array_equal(first.active_state[0], second.active_state[0])
        and np.allclose(first.total_energy[0], second.total_energy[0], rtol=0, atol=1e-9)
        and np.array_equal(first.positions(0), second.positions(0), equal_nan=True)
    )


def _run(ensemble: Ensemble, label: str, classes: AnalysisConfig | None) -> Run:
    times = survival_times(ensemble)
    generator = np.random.default_rng(_SEED)
    return Run(
        label=label,
        populations=populations(ensemble),
        survival=times,
        lifetime=bootstrap_median(times.duration_fs, times.decayed, generator=generator),
        yields=None if classes is None else quantum_yields(ensemble, classes),
    )


def _versus(
    first: Ensemble, second: Ensemble, label: str, classes: AnalysisConfig | None
) -> Versus:
    paired = began_alike(first, second)
    shares = {}
    if classes is not None:
        before, after = outcomes(first, classes), outcomes(second, classes)
        for name in outcome_names(classes):
            here, there = before == name, after == name
            lower, upper = newcombe(here, there, paired=paired)
            value = float(there.mean() - here.mean())
            shares[name] = Difference(value=value, lower=lower, upper=upper)
    return Versus(
        label=label,
        paired=paired,
        lifetime=bootstrap_difference(
            survival_times(first),
            survival_times(second),
            paired=paired,
            generator=np.random.default_rng(_SEED),
        ),
        shares=shares,
    )


def refuse_other_subject(first: Ensemble, second: Ensemble) -> None:
    """Refuse to set ensembles beside each other that are of different molecules or states.

    Raises
    ------
    DataError
        Naming the second.
    """
    if not np.array_equal(first.atomic_numbers, second.atomic_numbers):
        what = "another molecule"
    elif first.states.labels != second.states.labels:
        what = "other states"
    else:
        return
    raise DataError(
        f"is of {what} than {first.path}",
        where=str(second.path),
        hint="compare runs of one molecule with the same states",
    )

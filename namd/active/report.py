"""What is told of the model of a round: labels, test errors, its trajectories, and stop or not."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from namd.analysis.conservation_verdict import VIOLATED, audit
from namd.analysis.jsonable import jsonable
from namd.config.training import TrainingConfig
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.data.splits import split_groups
from namd.errors import DataError
from namd.io.atomic import write_text
from namd.io.ensemble import is_parked, parking_reasons, read_ensemble
from namd.train.evaluation import compare, require_fit
from namd.train.frames import wanted_states
from namd.train.metrics import error_table
from namd.train.predictors import Predictor


@dataclass(frozen=True, kw_only=True)
class Report:
    """A round, as far as its model goes; the content of ``report.json``.

    Parameters
    ----------
    round
        From 0.
    model
        Folder of the model.
    labels, test_frames
        Frames for training and validation; frames held out.
    energy_mae_mev, gap_mae_mev, force_mae_mev_per_angstrom, coupling_r2
        Errors on the test frames: mean absolute, over all states; None where nothing is held out.
    trajectories, parked, parked_fraction, parking_reasons
        Of the run; how many were parked, and by which reason.
    violated_fraction, drift_ev_per_ps
        Share of trajectories that violate energy conservation; median absolute drift of the others'
        total energy, None where none is long enough.
    stop
        Why the loop ended here; None where it goes on.
    """

    round: int
    model: str
    labels: int
    test_frames: int
    energy_mae_mev: float | None
    gap_mae_mev: float | None
    force_mae_mev_per_angstrom: float | None
    coupling_r2: float | None
    trajectories: int
    parked: int
    parked_fraction: float
    parking_reasons: dict[str, int]
    violated_fraction: float
    drift_ev_per_ps: float | None
    stop: str | None = None


def make_report(
    predictor: Predictor,
    *,
    number: int,
    model: Path,
    dataset: Path,
    run: Path,
    training: TrainingConfig,
    test: Path | None = None,
) -> Report:
    """Test a model and look at its trajectories.

    Parameters
    ----------
    predictor, model
        The model or committee, and its folder.
    number
        Of the round.
    dataset
        All labels so far.
    run
        Folder of its trajectories.
    training
        Says which groups are held out.
    test
        Labelled frames to be tested on in place of these groups.

    Raises
    ------
    DataError
        If labels or trajectories cannot be read.
    ModelError
        If the frames of the test are of another molecule.
    """
    labels = wanted_states(read_dataset(dataset), training)
    data = training.data
    split = split_groups(
        labels["group"],
        validation=data.validation,
        test=data.test,
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
        seed=data.split_seed,
    )
    held_out = labels.select(split.test)
    if test is not None:
        held_out = wanted_states(read_dataset(test), training)
        require_fit(predictor, held_out, where=str(test))
    energy, gap, force, coupling = _errors(predictor, held_out)
    ensemble = read_ensemble(run)
    found = audit(ensemble)
    violated = np.array([verdict == VIOLATED for verdict in found.verdicts])
    drifts = np.abs(found.measured.drift_ev_per_ps[~violated])
    drifts = drifts[np.isfinite(drifts)]
    parked = is_parked(ensemble)
    return Report(
        round=number,
        model=str(model),
        labels=len(labels) - len(split.test),
        test_frames=len(held_out),
        energy_mae_mev=energy,
        gap_mae_mev=gap,
        force_mae_mev_per_angstrom=force,
        coupling_r2=coupling,
        trajectories=ensemble.n_trajectories,
        parked=int(parked.sum()),
        parked_fraction=float(parked.mean()),
        parking_reasons=parking_reasons(ensemble),
        violated_fraction=float(violated.mean()),
        drift_ev_per_ps=float(np.median(drifts)) if drifts.size else None,
    )


def _errors(predictor: Predictor, test: Dataset) -> tuple[float | None, ...]:
    """Errors of energies, gaps and forces, over all states, and R² of the couplings."""
    if not len(test):
        return (None,) * 4
    table = error_table(compare(predictor, test))

    def over_states(name: str) -> float | None:
        known = [state[name] for state in table["states"] if state[name] is not None]
        return float(np.mean(known)) if known else None

    return (
        over_states("energy_mae_mev"),
        table["gap_mae_mev"],
        over_states("force_mae_mev_per_angstrom"),
        table["coupling_r2"],
    )


def write_report(report: Report, path: Path) -> None:
    """Write a report, whole or not at all."""
    write_json(asdict(report), path)


def write_json(content: Any, path: Path) -> None:
    """Write plain values as JSON, whole or not at all."""
    text = json.dumps(jsonable(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_report(path: Path) -> Report:
    """Read a report.

    Raises
    ------
    DataError
        If it is damaged.
    """
    try:
        return Report(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"the report of this round cannot be read: {error}",
            where=str(path),
            hint="remove it; it is made again from the run and the model",
        ) from error


def table_rows(reports: Sequence[Report]) -> list[list[str]]:
    """Cells of the table of rounds, as :data:`HEADINGS` has it."""

    def cell(value: float | None, digits: int) -> str:
        return "–" if value is None else f"{value:.{digits}f}"

    return [
        [
            str(report.round),
            str(report.labels),
            f"{100 * report.parked_fraction:.1f} %",
            cell(report.energy_mae_mev, 1),
            cell(report.gap_mae_mev, 1),
            cell(report.force_mae_mev_per_angstrom, 1),
            cell(report.coupling_r2, 3),
            f"{100 * report.violated_fraction:.1f} %",
            cell(report.drift_ev_per_ps, 4),
        ]
        for report in reports
    ]


HEADINGS = (
    "round",
    "labels",
    "parked",
    "E/meV",
    "gap/meV",
    "F/(meV/Å)",
    "h R²",
    "violated",
    "drift/(eV/ps)",
)

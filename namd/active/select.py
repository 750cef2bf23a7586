"""From candidates and a model to a file of frames worth labelling, each with its reasons."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from namd import __version__
from namd.active.candidates import Candidates
from namd.active.measures import Measures, measure
from namd.active.selection import NOVEL, PARKED, Batch, choose
from namd.config.active_learning import SelectionConfig
from namd.config.loading import resolved_config
from namd.data.frames import Frames
from namd.data.frames_file import Column
from namd.errors import DataError
from namd.io.ensemble import REASONS as PARKING_REASONS
from namd.train.predictors import Predictor
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

_UNITS = {"energy": EV_PER_HARTREE, "gap": EV_PER_HARTREE, "degenerate": EV_PER_HARTREE}
_UNITS |= {"force": EV_PER_ANGSTROM_PER_ATOMIC_FORCE, NOVEL: 1.0}


class NothingToLabelError(DataError):
    """No candidate is worth a label: where these come from the model is at home."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Selected:
    """Frames worth a label.

    Parameters
    ----------
    frames
        In the order of the candidates, so that neighbours of a trajectory follow each other.
    columns
        What is told of each: ``reason`` (texts such as ``"parked: broken molecule, force"``),
        ``rank`` (the order in which they were taken), ``score``, ``novelty``, ``smallest_gap`` and
        ``energy_deviation``, ``gap_deviation``, ``force_deviation`` where there is a committee.
    batch
        How they were chosen.
    """

    frames: Frames
    columns: dict[str, Column]
    batch: Batch


def select_frames(
    candidates: Candidates,
    predictor: Predictor,
    *,
    config: SelectionConfig,
    known: Frames | None = None,
) -> Selected:
    """Choose frames that a model should learn.

    Parameters
    ----------
    candidates
        To choose from, of the model's molecule.
    predictor
        The model, or a committee.
    config
        Budget and limits.
    known
        Frames that have labels; none nearly like them is chosen.

    Raises
    ------
    DataError
        If the known frames are of another molecule.
    NothingToLabelError
        If no candidate is worth a label.
    """
    molecule = predictor.information.molecule
    if known is not None and known.molecule.symbols != molecule.symbols:
        raise DataError(
            f"these are frames of {known.molecule.formula}, or in another order of atoms, the "
            f"model is for {molecule.formula}",
            where="labelled frames",
        )
    measured = measure(predictor, candidates.frames.positions)
    batch = choose(
        measured,
        candidates.parked > 0,
        config=config,
        known=None if known is None else measure(predictor, known.positions),
        groups=None if known is None else known.group,
    )
    if not len(batch.rows):
        raise NothingToLabelError(
            f"none of {len(candidates)} candidates is worth a label: {batch.eligible} have a "
            "reason, and these are nearly like labelled frames",
            hint="the model is at home there; lower the limits, or set fill",
        )
    order = np.argsort(batch.rows)
    rows = batch.rows[order]
    step = {
        "step": "select",
        "namd": __version__,
        "model": predictor.information.name,
        "config": resolved_config(config),
        **summary(batch, candidates=len(candidates), known=0 if known is None else len(known)),
    }
    frames = candidates.frames.select(rows)
    steps = [*frames.provenance.get("steps", []), step]
    return Selected(
        frames=replace(frames, provenance={**frames.provenance, "steps": steps}),
        columns=_columns(candidates, measured, batch, order),
        batch=batch,
    )


def summary(batch: Batch, *, candidates: int, known: int) -> dict[str, Any]:
    """What was chosen and why, in plain JSON types, eV and Å."""
    return {
        "candidates": candidates,
        "labelled": known,
        "eligible": batch.eligible,
        "chosen": len(batch.rows),
        "limits": {name: value * _UNITS[name] for name, value in batch.limits.items()},
        "candidates_by_reason": batch.counts,
        "chosen_by_reason": {
            name: sum(name in reasons for reasons in batch.reasons)
            for name in dict.fromkeys(name for reasons in batch.reasons for name in reasons)
        },
    }


def _columns(
    candidates: Candidates, measured: Measures, batch: Batch, order: np.ndarray
) -> dict[str, Column]:
    rows = batch.rows[order]
    reasons = [batch.reasons[k] for k in order.tolist()]
    told = [
        ", ".join(_word(name, int(candidates.parked[row])) for name in names)
        for row, names in zip(rows.tolist(), reasons, strict=True)
    ]
    columns = {
        "reason": Column(values=np.array(told)),
        "rank": Column(values=order),
        "score": Column(values=batch.score[order]),
        "novelty": Column(values=batch.novelty[rows]),
        "smallest_gap": Column(values=measured.gap[rows], unit="hartree"),
    }
    for name, values in measured.deviations.items():
        unit = "hartree/bohr" if name == "force" else "hartree"
        columns[f"{name}_deviation"] = Column(values=values[rows], unit=unit)
    return columns


def _word(name: str, code: int) -> str:
    return f"{PARKED}: {PARKING_REASONS[code].name}" if name == PARKED else name

"""Train several models that stand for one, and make them one.

Members differ in the seed: of the weights they begin with, and of the order in which frames come.
All learn the same training frames. Leaving out others for every member (bagging, folds) costs each
a part of the labels, and was found to do worse than random weights and orders alone
(B. Lakshminarayanan, A. Pritzel, C. Blundell, NeurIPS 2017, arXiv:1612.01474). Deviations, too, can
be calibrated only on frames that no member has learned.

Member k is what ``namd train CONFIG --set seed=SEED+k−1 --set name=NAME-k`` makes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from namd.config.training import TrainingConfig
from namd.errors import ConfigError, NamdError
from namd.io.atomic import write_text
from namd.io.committee_file import (
    CommitteeFile,
    Member,
    is_committee,
    read_committee,
    write_committee,
)
from namd.io.library import find_model
from namd.io.model_header import HEADER_FILE, read_model_header
from namd.nn.model_folder import load_model
from namd.train.card import committee_card
from namd.train.evaluation import compare
from namd.train.figures import write_parity_png
from namd.train.metrics import error_table
from namd.train.pipeline import Job
from namd.train.predictors import Committee
from namd.train.reliability import calibrate, uncertainty_table
from namd.train.reliability_figure import write_reliability_png

_PREFIX = "member-"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One member that is to be trained.

    Parameters
    ----------
    number
        From 1.
    config
        Its own configuration.
    folder
        Its model folder.
    """

    number: int
    config: TrainingConfig
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        """Its ``metrics.json``; empty unless its training has come to its end."""
        try:
            text = (self.folder / "metrics.json").read_text(encoding="utf-8")
            metrics: dict[str, Any] = json.loads(text)
            trained = metrics["sha256"] == read_model_header(self.folder)["sha256"]
        except (OSError, ValueError, KeyError, NamdError):
            return {}
        return metrics if trained else {}

    @property
    def is_complete(self) -> bool:
        """Whether its training has come to its end: the record belongs to the weights."""
        return bool(self.record)


def plan_members(
    config: TrainingConfig, members: int, *, folder: Path, base: Path
) -> tuple[Plan, ...]:
    """The members of a committee, each with its configuration and folder.

    Where ``initial_weights`` names a committee, member k begins from its member k, counted
    around.

    Parameters
    ----------
    config
        Of the committee.
    members
        How many.
    folder
        Of the committee.
    base
        Folder that a relative ``initial_weights`` is tried against first.

    Raises
    ------
    ModelError
        If there is no model to begin from.
    """
    starts: list[str | None] = [config.initial_weights]
    if config.initial_weights is not None:
        earlier = find_model(config.initial_weights, base=base)
        if is_committee(earlier):
            told = read_committee(earlier).members
            starts = [str((earlier / member.folder).resolve()) for member in told]
    return tuple(
        Plan(
            number=k + 1,
            config=config.model_copy(
                update={
                    "name": f"{config.name}-{k + 1}",
                    "seed": config.seed + k,
                    "initial_weights": starts[k % len(starts)],
                }
            ),
            folder=folder / f"{_PREFIX}{k + 1}",
        )
        for k in range(members)
    )


def check_kind(folder: Path, *, members: int | None) -> None:
    """Refuse to go on with a single training as a committee, or the other way round.

    Parameters
    ----------
    folder
        That is to be resumed.
    members
        How many members are asked for; None for a single training.

    Raises
    ------
    ConfigError
        If the folder holds the other kind, or more members than are asked for.
    """
    there = len(list(folder.glob(f"{_PREFIX}*")))
    if members is None and there:
        raise ConfigError(
            "this is the folder of a committee",
            where=str(folder),
            hint=f"give --members {there}, or more, or another --output",
        )
    if members is not None and ((folder / "log.csv").exists() or (folder / HEADER_FILE).exists()):
        raise ConfigError(
            "this is the folder of a single training",
            where=str(folder),
            hint="leave --members out, or choose another --output",
        )
    if members is not None and there > members:
        raise ConfigError(
            f"there are {there} members already",
            where=f"--members {members}",
            hint=f"give {there}, or more to add some",
        )


def conclude(job: Job, plans: Sequence[Plan], folder: Path, *, name: str) -> dict[str, Any]:
    """Make one of trained members: calibrate, find errors, and write ``committee.json`` last.

    Parameters
    ----------
    job
        Of any member: its data are those of all.
    plans
        All members, trained.
    folder, name
        Of the committee.

    Returns
    -------
    The content of ``metrics.json``.

    Raises
    ------
    ModelError
        If a member's folder is damaged.
    OSError
        If the disk is full.
    """
    device = job.model.shift.device
    members = [load_model(plan.folder).to(device) for plan in plans]
    committee = Committee(members, name)
    digests = [str(read_model_header(plan.folder)["sha256"]) for plan in plans]
    records = [plan.record for plan in plans]
    metrics: dict[str, Any] = {
        **job.summary,
        "model": name,
        "members": len(plans),
        "sha256": digests,
        "epochs_done": [record["epochs_done"] for record in records],
        "errors": {},
        "uncertainty": {},
    }
    comparisons = {
        part: compare(committee, dataset)
        for part, dataset in (("validation", job.validation), ("test", job.test))
        if len(dataset)
    }
    calibration = calibrate(comparisons["validation"])
    for part, comparison in comparisons.items():
        metrics["errors"][part] = error_table(comparison)
        table = uncertainty_table(comparison, calibration.get("scales", {}))
        metrics["uncertainty"][part] = table
        title = f"{name}: {part} frames"
        labels = job.model.information.states.labels
        write_parity_png(comparison, folder / "parity.png", labels=labels, title=title)
        write_reliability_png(table, folder / "reliability.png", title=title)
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    write_text(folder / "README.md", committee_card(metrics))
    listed = tuple(
        Member(folder=plan.folder.name, sha256=digest)
        for plan, digest in zip(plans, digests, strict=True)
    )
    write_committee(CommitteeFile(name=name, members=listed, calibration=calibration), folder)
    return metrics

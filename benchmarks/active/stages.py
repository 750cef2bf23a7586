"""One stage of the comparison: so many labels, a committee trained on them, its errors.

::

    FOLDER/seed-0/0100/            both ways begin with the same random frames
    FOLDER/seed-0/active-0200/     labels.h5, rows.json, model/, result.json
    FOLDER/seed-0/random-0200/

A stage is done when its ``result.json`` is there; a training that was stopped goes on.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from active.pool import TRAINING, Pool
from namd.active.report import write_json
from namd.cli.main import cli
from namd.data.reading import read_dataset
from namd.io.atomic import remove_leftovers
from namd.io.library import find_file
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.train.predictors import load_predictor

SMALL_GAP_EV = 1.0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every stage may cost.

    Parameters
    ----------
    members
        Of the committee.
    presentations
        Frames shown to each member.
    """

    members: int
    presentations: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A number of labels, and how they were chosen.

    Parameters
    ----------
    root
        Folder of the comparison.
    seed
        Of the first frames and of the networks.
    count
        Labels.
    strategy
        How those beyond the first ones were chosen; empty for the first ones.
    before
        The stage it goes on from.
    """

    root: Path
    seed: int
    count: int
    strategy: str = ""
    before: "Stage | None" = None

    @property
    def folder(self) -> Path:
        """Where it lies."""
        name = f"{self.count:04d}"
        return (
            self.root / f"seed-{self.seed}" / (f"{self.strategy}-{name}" if self.strategy else name)
        )

    @property
    def model(self) -> Path:
        """Its committee."""
        return self.folder / "model"

    @property
    def result(self) -> dict[str, Any] | None:
        """What came of it; None while it is not done."""
        path = self.folder / "result.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def run(self, pool: Pool, budget: Budget) -> dict[str, Any]:
        """Choose, train and test, as far as that is not done."""
        if (done := self.result) is not None:
            return done
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        began = time.process_time()
        told = self._rows(pool)
        rows = np.array(told["rows"])
        data = self.folder / "labels.h5"
        if not data.exists():
            pool.write(rows, data)
        self._train(data, budget)
        test = read_dataset(data)
        test = test.select(test["group"] == "test")
        found = compare(load_predictor(self.model), test)
        near = found.reference_gaps.min(1) < SMALL_GAP_EV
        result = {
            "strategy": self.strategy,
            "seed": self.seed,
            "labels": self.count,
            "reasons": told["reasons"],
            "cpu_seconds": time.process_time() - began,
            "errors": error_table(found),
            "gap_mae_mev_near": 1e3 * float(np.abs(found.gaps - found.reference_gaps)[near].mean()),
            "frames_near": int(near.sum()),
        }
        write_json(result, self.folder / "result.json")
        return result

    def _rows(self, pool: Pool) -> dict[str, Any]:
        """Frames of the pool that are revealed, and for what reasons."""
        path = self.folder / "rows.json"
        if not path.exists():
            if self.before is None:
                rows, reasons = pool.first(self.count, seed=self.seed), {}
            else:
                known = np.array(self.before._rows(pool)["rows"])  # noqa: SLF001  (of its kind)
                rows, reasons = pool.more(
                    known,
                    self.count,
                    strategy=self.strategy,
                    seed=self.seed,
                    model=self.before.model,
                )
            write_json({"rows": rows.tolist(), "reasons": reasons}, path)
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told

    def _train(self, data: Path, budget: Budget) -> None:
        if (self.model / "committee.json").exists():
            return
        epochs = max(1, round(budget.presentations / self.count))
        changes = {
            "name": f"pool-{self.count}",
            "data.file": str(data.resolve()),
            "data.validation": "[validation]",
            "data.test": "[test]",
            "optimiser.epochs": epochs,
            "optimiser.patience_epochs": epochs,
            "optimiser.warmup_steps": 50,
            "seed": 100 * self.seed,
            "device": "cpu",
        }
        if self.before is not None:
            changes["initial_weights"] = str(self.before.model.resolve())
        words = ["train", str(find_file(TRAINING)), "--output", str(self.model)]
        words += ["--members", str(budget.members)]
        words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
        begun = (self.model / "train.yaml").exists()
        cli.main(args=words + ["--resume"] * begun, prog_name="namd", standalone_mode=False)


def stages(root: Path, *, seeds: int, counts: list[int], strategies: list[str]) -> list[Stage]:
    """All stages, each behind the one it goes on from; seed by seed."""
    made = []
    for seed in range(seeds):
        first = Stage(root=root, seed=seed, count=counts[0])
        made.append(first)
        for strategy in strategies:
            before = first
            for count in counts[1:]:
                before = Stage(root=root, seed=seed, count=count, strategy=strategy, before=before)
                made.append(before)
    return made

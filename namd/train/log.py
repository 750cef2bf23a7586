"""``log.csv``: one row per epoch, readable by any spreadsheet."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from namd.io.atomic import write_text

LOSS_TERMS = ("total", "energy", "gap", "force", "coupling", "dipole")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """What is told and logged after every epoch; losses are means over frames."""

    epoch: int
    step: int
    learning_rate: float
    training: dict[str, float]
    validation: dict[str, float]
    best_epoch: int
    seconds: float
    frames_per_second: float

    def row(self) -> dict[str, Any]:
        """One flat row of the log."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": self.learning_rate,
            **{f"train_{name}": self.training[name] for name in LOSS_TERMS},
            **{f"validation_{name}": self.validation[name] for name in LOSS_TERMS},
            "best_epoch": self.best_epoch,
            "seconds": round(self.seconds, 3),
            "frames_per_second": round(self.frames_per_second, 2),
        }


def append_row(path: Path, report: EpochReport) -> None:
    """Add a row, with the heading if the file is new."""
    row = report.row()
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def truncate_log(path: Path, *, rows: int) -> None:
    """Keep the heading and the first ``rows`` rows: what the checkpoint knows of."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if rows == 0:
        path.unlink()
    elif len(lines) > rows + 1:
        write_text(path, "".join(lines[: rows + 1]))

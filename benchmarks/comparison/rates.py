"""The short trials that fix every network's learning rate: the lowest validation loss wins."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import measuring

from comparison.tasks import Task


def show_rates(tasks: Sequence[Task], root: Path, *, path: Path | None) -> dict[str, Any]:
    """Print and keep the validation losses of all finished trials."""
    about = measuring.machine(threads=1)
    trials: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:  # what is still being trained is left out
        if not task.result(root).exists():
            continue
        found = json.loads(task.result(root).read_text(encoding="utf-8"))
        kept = ("learning_rate", "presentations", "batch_size", "config_sha256")
        entry = {name: found[name] for name in kept}
        trials.setdefault(task.network, []).append(
            entry | {"validation_loss": found.get("validation_loss"), "case": task.case}
        )
    for network, entries in trials.items():
        losses = "  ".join(f"{e['learning_rate']:g}: {_number(e)}" for e in entries)
        print(f"{network:16} {losses}")
    result = {"trials": trials}
    measuring.finish(result, about=about, path=path)
    return result


def _number(entry: dict[str, Any]) -> str:
    loss = entry["validation_loss"]
    return "diverged" if loss is None else f"{loss:.3f}"

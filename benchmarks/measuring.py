"""What all benchmarks share: options, repeated timing, the file they leave.

A number without its machine is no number: every result carries versions, processor, thread count
and the load average before and after (:mod:`namd.benchmark.machine`). Compare only numbers of one
file with each other; between files compare ratios.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from namd.analysis.jsonable import jsonable
from namd.benchmark.clock import Spread
from namd.benchmark.machine import load_average, machine
from namd.io.atomic import write_text

__all__ = ["errors_over_states", "finish", "machine", "parser", "repeated", "summary"]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options of every benchmark: its docstring as help, and ``--json``."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the result as JSON")
    return made


def repeated(action: Callable[[], object], *, repeats: int) -> list[float]:
    """Wall-clock seconds of each of some calls."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest of repeated measurements."""
    return asdict(Spread.of(values))


def finish(result: dict[str, Any], *, about: dict[str, Any], path: Path | None) -> None:
    """Write the result with its machine, if there is a file to write it to."""
    about = {**about, "load_average_after": load_average()}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = jsonable({"machine": about, **result})
        text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
        write_text(path, text + "\n")
        print(f"written to {path}")


def errors_over_states(table: dict[str, Any]) -> dict[str, float]:
    """Of a table of errors (:mod:`namd.train.metrics`) those of all frames, means over states."""

    def mean(name: str) -> float:
        return float(np.mean([state[name] for state in table["states"]]))

    return {
        "energy_mae_mev": mean("energy_mae_mev"),
        "gap_mae_mev": table["gap_mae_mev"],
        "force_mae_mev_per_angstrom": mean("force_mae_mev_per_angstrom"),
        "coupling_r2": table["coupling_r2"],
    }

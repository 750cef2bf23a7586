"""What all benchmarks share: repeated timing, the machine they ran on, the file they leave.

A number without its machine is no number: every result carries versions, processor, thread count
and the load average before and after. Compare only numbers of one file with each other; between
files compare ratios.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from namd import __version__
from namd.analysis.jsonable import jsonable
from namd.io.atomic import write_text

_PACKAGES = ("torch", "numba", "numpy", "e3nn", "h5py")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options of every benchmark: its docstring as help, and ``--json``."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="also write the result as JSON")
    return made


def machine(*, threads: int | None = None) -> dict[str, Any]:
    """Versions and machine, at the start of a benchmark."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "namd": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "load_average_before": os.getloadavg()[0],
    }


def _processor() -> str:
    """Name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


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
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def finish(result: dict[str, Any], *, about: dict[str, Any], path: Path | None) -> None:
    """Write the result with its machine, if there is a file to write it to."""
    about = {**about, "load_average_after": os.getloadavg()[0]}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = jsonable({"machine": about, **result})
        text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
        write_text(path, text + "\n")
        print(f"written to {path}")

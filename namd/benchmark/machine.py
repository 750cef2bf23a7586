"""The machine a number was measured on: without it, it is no number."""

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from namd import __version__

_PACKAGES = ("torch", "numba", "numpy", "e3nn", "h5py")


def machine(*, threads: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """Versions, processor, device, threads and load, as plain JSON types."""
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "namd": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "device": device,
    }
    if torch.device(device).type == "cuda":
        about["gpu"] = torch.cuda.get_device_name(device)
        about["cuda"] = torch.version.cuda
    return {**about, "load_average_before": load_average()}


def load_average() -> float | None:
    """Processes that wanted to run in the last minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    """Name of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

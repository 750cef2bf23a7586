"""What this installation of namd consists of and runs on, for ``namd doctor``."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from namd import __version__
from namd.io.library import library_roots, run_names, zoo
from namd.nn.fusion.backends import numba_cpu
from namd.nn.fusion.backends.choice import choose
from namd.nn.parallel import core_count, thread_count
from namd.nn.selfcheck import ProductCheck, check_products

PACKAGES = ("torch", "e3nn", "ase", "numpy", "scipy", "h5py", "numba", "triton")


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A CUDA device: name, memory in GiB, compute capability such as 9.0."""

    name: str
    memory_gib: float
    capability: str


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Who computes Clebsch–Gordan products on a type of device, and why."""

    device: str
    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Facts about an installation, and how its self-check went.

    Parameters
    ----------
    namd, python, platform
        Versions.
    packages
        Version of each package; None if it is not there.
    threads, cores
        Threads in use, and cores this process may use.
    gpus, backends, checks
        CUDA devices; back ends of the CPU and of CUDA; their deviations where they can run.
    library
        Folders in which ``models/`` and ``trajectories/`` are looked for.
    models, trajectories
        Names that can be used.
    compiled
        Folder in which compiled loops are kept.
    compiled_writable
        Whether they can be; if not, every process compiles anew.
    """

    namd: str
    python: str
    platform: str
    packages: dict[str, str | None]
    threads: int
    cores: int
    gpus: tuple[Gpu, ...]
    backends: tuple[Backend, ...]
    checks: tuple[ProductCheck, ...]
    library: tuple[Path, ...]
    models: tuple[str, ...]
    trajectories: tuple[str, ...]
    compiled: Path
    compiled_writable: bool

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What works, but not as well as it could."""
        found = []
        if not self.compiled_writable:
            found.append(
                f"{self.compiled} cannot be written: every process compiles its loops anew "
                "(set NUMBA_CACHE_DIR to a folder of yours)"
            )
        if not self.models:
            found.append("the model zoo is empty: models can only be given by their folder")
        if self.threads > self.cores:
            found.append(f"{self.threads} threads share {self.cores} cores (OMP_NUM_THREADS)")
        return tuple(found)


def examine() -> Installation:
    """Look at everything, and check the products on the CPU and on every GPU.

    Raises
    ------
    ConfigError
        If ``NAMD_CG_BACKEND`` is no back end, or one that cannot serve a device that is there.
    """
    gpus = tuple(_gpu(number) for number in range(torch.cuda.device_count()))
    devices = ["cpu", *(f"cuda:{number}" for number in range(len(gpus)))]
    kinds = dict.fromkeys(torch.device(device).type for device in devices)
    chosen = {kind: choose(kind) for kind in kinds}
    return Installation(
        namd=__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: _version(name) for name in PACKAGES},
        threads=thread_count(),
        cores=core_count(),
        gpus=gpus,
        backends=tuple(
            Backend(device=kind, name=choice.name, reason=choice.reason)
            for kind, choice in chosen.items()
        ),
        checks=tuple(check for device in devices for check in check_products(device)),
        library=tuple(root for root in library_roots() if root.is_dir()),
        models=tuple(folder.name for folder in zoo()),
        trajectories=tuple(run_names()),
        compiled=numba_cpu.cache_folder(),
        compiled_writable=_writable(numba_cpu.cache_folder()),
    )


def _gpu(number: int) -> Gpu:
    properties = torch.cuda.get_device_properties(number)
    return Gpu(
        name=properties.name,
        memory_gib=properties.total_memory / 2**30,
        capability=f"{properties.major}.{properties.minor}",
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK)

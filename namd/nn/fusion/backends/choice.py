"""Which implementation of the Clebsch–Gordan operators serves a device.

========  ==================================================  ======================
name      what                                                devices
========  ==================================================  ======================
numba     compiled loops (:mod:`.numba_cpu`)                  CPU
triton    GPU kernels (:mod:`.triton_cuda`)                   CUDA, if Triton is there
einsum    dense tensor operations (:mod:`.einsum`)            any
========  ==================================================  ======================

The first that can is taken. The environment variable ``NAMD_CG_BACKEND`` (auto or a name, read at
the first product on a device) takes another; ``namd doctor`` tells the choice.
"""

import importlib.util
import os
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

from namd.errors import ConfigError

VARIABLE = "NAMD_CG_BACKEND"
BACKENDS = {"einsum": "einsum", "numba": "numba_cpu", "triton": "triton_cuda"}


@dataclass(frozen=True)
class Choice:
    """The name of a back end, and why it was taken."""

    name: str
    reason: str


@cache
def choose(device: str) -> Choice:
    """Choose the back end of a type of device.

    Parameters
    ----------
    device
        ``cpu``, ``cuda`` or another ``torch.device.type``.

    Raises
    ------
    ConfigError
        If ``NAMD_CG_BACKEND`` is no back end, or one that cannot serve the device.
    """
    name = wanted()
    if name == "auto":
        return _automatic(device)
    if name not in BACKENDS:
        raise ConfigError(
            f"expected one of: auto, {', '.join(BACKENDS)}",
            where=f"environment variable {VARIABLE} = {name}",
            hint="unset it, and the fastest is taken",
        )
    obstacle = _obstacle(name, device)
    if obstacle:
        raise ConfigError(
            f"the back end cannot serve the device {device}: {obstacle}",
            where=f"environment variable {VARIABLE} = {name}",
            hint="unset it, and the fastest that can is taken",
        )
    return Choice(name, f"{VARIABLE} says so")


def wanted() -> str:
    """What ``NAMD_CG_BACKEND`` asks for, whether there is such a back end or not."""
    return os.environ.get(VARIABLE, "").strip().lower() or "auto"


def backend(device: str) -> ModuleType:
    """Import the chosen back end: a module with ``product`` and ``reduction``."""
    return implementation(choose(device).name)


@cache
def implementation(name: str) -> ModuleType:
    """Import a back end by its name in :data:`BACKENDS`."""
    return import_module(f"namd.nn.fusion.backends.{BACKENDS[name]}")


def _automatic(device: str) -> Choice:
    if device == "cpu":
        return Choice("numba", "the fastest on the CPU")
    if device != "cuda":
        return Choice("einsum", f"there are no kernels for {device}")
    obstacle = _obstacle("triton", device)
    if obstacle:
        return Choice("einsum", f"triton cannot be used: {obstacle}")
    return Choice("triton", "the fastest on CUDA")


def _obstacle(name: str, device: str) -> str | None:
    """What keeps a back end from serving a device; None if nothing does."""
    if name == "numba" and device != "cpu":
        return "it runs on the CPU only"
    if name != "triton":
        return None
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if device != "cuda" and not interpreted:
        return "it needs a CUDA device (or TRITON_INTERPRET=1, slow, for tests)"
    return None

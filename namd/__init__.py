"""Machine-learned non-adiabatic molecular dynamics: train, run surface hopping, analyse.

Importing ``namd`` imports nothing heavy; sub-packages are loaded on first use (PEP 562).
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_SUBPACKAGES = frozenset(
    {"analysis", "config", "data", "dynamics", "io", "nn", "potentials", "sampling", "train"}
)


def __getattr__(name: str) -> ModuleType:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"namd.{name}")
    raise AttributeError(f"module 'namd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBPACKAGES})

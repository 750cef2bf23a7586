"""What the registry holds, in words: every method with its line and its reference.

Nothing is written down twice: of a method's class or module, the docstring that gives the reference
describes the method, and its first sentence is the line.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from namd.dynamics.registry import DECOHERENCE, ELECTRONIC, FRUSTRATED, HOPPING, RESCALING
from namd.errors import NamdError

KINDS: Mapping[str, Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "electronic": ELECTRONIC,
        "hopping": HOPPING,
        "rescaling": RESCALING,
        "frustrated": FRUSTRATED,
        "decoherence": DECOHERENCE,
    }
)
"""Keys of the ``dynamics`` section that choose a method, and what they can be."""

_REFERENCE = re.compile(r"^References?(?::|\n-+\n)\s*(?P<text>.+)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method as a user sees it.

    Parameters
    ----------
    kind
        Key of the ``dynamics`` section.
    name
        Value of that key.
    summary
        One sentence.
    reference
        Where it was published.
    """

    kind: str
    name: str
    summary: str
    reference: str


def methods() -> tuple[Method, ...]:
    """Describe every method of every kind, in the order of the registry.

    Raises
    ------
    NamdError
        If a method does not say where it comes from.
    """
    return tuple(
        _describe(kind, name, made) for kind, table in KINDS.items() for name, made in table.items()
    )


def _describe(kind: str, name: str, made: Callable[..., Any]) -> Method:
    documented = (inspect.getdoc(made), inspect.getdoc(sys.modules[made.__module__]))
    for text in documented:
        found = _REFERENCE.search(text or "")
        if text and found:
            summary = " ".join(text.split("\n\n", 1)[0].split())
            reference = " ".join(found["text"].split())
            return Method(kind=kind, name=name, summary=summary, reference=reference)
    raise NamdError("the method gives no reference", where=f"{kind}: {name}")

"""The pages of ``namd config methods``: what can be chosen, and where it comes from."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from namd.cli import console
from namd.config.presets import PRESETS
from namd.dynamics.catalogue import KINDS, Method, methods

_WIDTH = 100
_INDENT = " " * 4


def show_methods(*, as_json: bool) -> None:
    """Print every method and every preset."""
    found = methods()
    if as_json:
        console.result_json(_as_json(found))
        return
    for kind in KINDS:
        console.result(f"dynamics.{kind}")
        for method in found:
            if method.kind == kind:
                for line in _entry(method.name, method.summary, method.reference):
                    console.result(line)
        console.result()
    console.result("dynamics.preset  (sets the keys above; what is given beside it wins)")
    for name, preset in PRESETS.items():
        values = ", ".join(f"{key}: {value}" for key, value in preset.settings.items())
        texts = (preset.summary, preset.conventions, values, preset.reference)
        for line in _entry(name, *texts):
            console.result(line)


def _entry(name: str, *texts: str) -> Iterator[str]:
    yield f"  {name}"
    for text in texts:
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
        )


def _as_json(found: tuple[Method, ...]) -> dict[str, Any]:
    return {
        "methods": [asdict(method) for method in found],
        "presets": [
            {"name": name, **asdict(preset), "settings": dict(preset.settings)}
            for name, preset in PRESETS.items()
        ],
    }

"""The validation of Tully's models as a page to read: tables and verdicts from a result file.

    python benchmarks/validation_table.py benchmarks/results/validation.json

writes validation.md beside it. Every number and every verdict is made of the file; nothing is run.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import groupby
from math import sqrt
from pathlib import Path
from typing import Any

from namd.io.atomic import write_text

TITLES = {
    "sac": "Simple avoided crossing (Tully 1)",
    "dac": "Dual avoided crossing (Tully 2)",
    "ecr": "Extended coupling with reflection (Tully 3)",
}
CHANNELS = {
    "transmission_lower": "transmitted, lower state",
    "transmission_upper": "transmitted, upper state",
    "reflection_lower": "reflected, lower state",
    "reflection_upper": "reflected, upper state",
}
OTHER_TRAJECTORIES = 2000
VISIBLE = 0.02

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    found = json.loads(path.read_text(encoding="utf-8"))
    page = "\n".join([*heading(found, path.name), *verdicts(found), *tables(found["rows"])])
    write_text(path.with_suffix(".md"), page + "\n")
    print(f"written to {path.with_suffix('.md')}")


def heading(found: dict[str, Any], name: str) -> Iterator[str]:
    """Where the numbers come from."""
    machine = found["machine"]
    yield "# Surface hopping on Tully's models, beside what is known"
    yield ""
    yield f"Made of `{name}` by `benchmarks/validation_table.py`; the numbers by"
    yield f"`benchmarks/validation.py` with {found['trajectories']} trajectories per momentum, all"
    yield f"in one batch, seed {found['seed']} ({machine['date'][:10]}, namd {machine['namd']},"
    yield f"torch {machine['torch']}). Exact: stationary Schrödinger equation at the same momentum."
    yield "FSSH (other program): 2000 trajectories of an independent code without decoherence. The"
    yield f"standard error of a fraction is at most {0.5 / sqrt(found['trajectories']):.3f}. The"
    yield "last column is the mean distance from exact: an error of the method, not of statistics."
    yield ""
    yield "A name is a preset, or the preset `fssh` with one key changed. On a line all directions"
    yield "of the momentum change are one, so that `mlatom` is `landau-zener` here. `tully-rate`"
    yield "goes with `electronic: npi`."
    rows = found["rows"]
    models = {row["model"] for row in rows}
    some = [
        name
        for name in dict.fromkeys(row["method"] for row in rows)
        if {row["model"] for row in rows if row["method"] == name} != models
    ]
    if some:
        yield f"Not measured on every model: {', '.join(some)}."
    yield ""


def verdicts(found: dict[str, Any]) -> Iterator[str]:
    """What must hold, and whether it does."""
    rows = found["rows"]
    deviations = [
        abs(row["fractions"][name] - p)
        / sqrt(p * (1 - p) * (1 / found["trajectories"] + 1 / OTHER_TRAJECTORIES))
        for row in rows
        if row["method"] == "fssh" and row["other_fssh"]
        for name, p in row["other_fssh"].items()
        if 0 < p < 1
    ]
    yield "## What must hold"
    yield ""
    yield (
        f"* FSSH agrees with the other program within 3 standard errors: "
        f"**{said(max(deviations) < 3)}** (largest of {len(deviations)}: {max(deviations):.2f})."
    )
    repaired = [distance(rows, m, "ecr", "reflection_lower") for m in ("fssh", "fssh-edc")]
    yield (
        f"* Decoherence (EDC) repairs the reflection of model 3: "
        f"**{said(repaired[1] < repaired[0])}** (mean distance from exact {repaired[0]:.3f} "
        f"without, {repaired[1]:.3f} with)."
    )
    harmed = [distance(rows, m, "dac", "transmission_lower") for m in ("fssh", "fssh-edc")]
    yield (
        f"* Decoherence (EDC) damages model 2: **{said(harmed[1] > harmed[0])}** (mean distance "
        f"{harmed[0]:.3f} without, {harmed[1]:.3f} with)."
    )
    slow = max((row for row in rows if "unfinished" in row), key=lambda row: row["unfinished"])
    yield (
        f"* Trajectories that did not leave within ten crossing times, trapped where a channel is "
        f"closed: at most {slow['unfinished']:.3f} of a row ({slow['method']}, {slow['model']} "
        f"{slow['momentum']:g})."
    )
    yield ""


def said(holds: bool) -> str:
    return "yes" if holds else "no"


def distance(rows: list[Row], method: str, model: str, channel: str) -> float:
    """Mean distance of one channel from exact, over the momenta of a model."""
    found = [
        abs(row["fractions"][channel] - row["exact"][channel])
        for row in rows
        if (row["method"], row["model"]) == (method, model) and "fractions" in row
    ]
    return sum(found) / len(found)


def tables(rows: list[Row]) -> Iterator[str]:
    """One table per model and visible channel: methods down, momenta across."""
    for model, group in groupby(rows, key=lambda row: str(row["model"])):
        of_model = list(group)
        yield f"## {TITLES[model]}"
        yield ""
        for channel, words in CHANNELS.items():
            if max(row["exact"][channel] for row in of_model) >= VISIBLE:
                yield from table(of_model, channel, title=f"{words}, by incoming momentum")
        impossible = {r["method"]: r["not_possible"] for r in of_model if "not_possible" in r}
        yield from (f"{name}: not possible ({why})" for name, why in impossible.items())


def table(rows: list[Row], channel: str, *, title: str) -> Iterator[str]:
    """One channel of one model."""
    momenta = sorted({row["momentum"] for row in rows})
    exact = {row["momentum"]: row["exact"][channel] for row in rows}
    other = {row["momentum"]: row["other_fssh"][channel] for row in rows if row["other_fssh"]}
    yield f"**{title[0].upper()}{title[1:]}**"
    yield ""
    yield f"| method | {' | '.join(f'{k:g}' for k in momenta)} | mean distance |"
    yield f"|---|{'---|' * len(momenta)}---|"
    yield line("exact", exact, momenta)
    yield line("FSSH (other program)", other, momenta)
    for method in dict.fromkeys(row["method"] for row in rows if "fractions" in row):
        ours = {r["momentum"]: r["fractions"][channel] for r in rows if r["method"] == method}
        mean = sum(abs(ours[k] - exact[k]) for k in ours) / len(ours)
        yield line(method, ours, momenta, last=f"{mean:.3f}")
    yield ""


def line(name: str, values: dict[float, float], momenta: list[float], *, last: str = "") -> str:
    numbers = [f"{values[k]:.3f}" if k in values else "" for k in momenta]
    return f"| {name} | {' | '.join(numbers)} | {last} |"


if __name__ == "__main__":
    main()

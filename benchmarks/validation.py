"""Surface hopping on Tully's models: every method, model and momentum beside what is known.

    python benchmarks/validation.py [--trajectories 2000] [--json FILE [--add]]
    python benchmarks/validation.py --methods fssh fssh-edc --models ecr --momenta 14 30
    python benchmarks/validation_table.py benchmarks/results/validation.json

A method is a preset (`namd config methods`) or the preset `fssh` with one key changed to another
method of the registry ("hopping=…"): whatever is registered is measured, except what is the same
for a single particle on a line: the direction of the momentum change, and presets that differ in
nothing else. Each row gives the fractions of all trajectories in the four channels with their
standard errors, the numbers of an independent FSSH program where there are some, and the exact
ones. A deviation from exact beyond the standard error is that of the *method*, which more
trajectories do not cure: numbers that agree with the independent program but not with quantum
mechanics are right, and surface hopping is not.

2000 trajectories, all models and the 18 momenta of the exact table take one to three minutes per
method on one core. FILE is written after every case; with --add its other rows are kept.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, get_args

import measuring

from namd.config.loading import apply_overrides, validate
from namd.config.presets import PRESETS
from namd.config.run import DynamicsConfig
from namd.dynamics.catalogue import KINDS
from namd.errors import ConfigError
from namd.nn.parallel import use_threads
from namd.validation.tully_reference import Model, exact_channels, table
from namd.validation.tully_run import run_tully

BASE = "fssh"

COMPANIONS = {"tully-rate": ["dynamics.electronic=npi"]}
"""What a method needs beside it: Tully's rate sums a time-derivative coupling over substeps."""

How = tuple[str, list[str]]
"""A preset, and the keys that are changed."""


def main() -> None:
    options = arguments()
    about = measuring.machine(threads=1)
    use_threads()
    known = dict(methods())
    names = options.methods or list(known)
    for name in names:
        if name not in known:
            raise SystemExit(f"no method is called {name}; there are: {', '.join(known)}")
    rows = kept(options)
    print(f"{'method':36} {'case':8} {'T lower':>8} {'T upper':>8} {'R lower':>8} {'R upper':>8}")
    for model, momentum in cases(options):
        exact = exact_channels(model, momentum)
        other = table("fssh").get((model, momentum))
        show("exact", f"{model} {momentum:g}", exact.values)
        if other is not None:
            show("FSSH, independent program", f"{model} {momentum:g}", other.values)
        for name in names:
            row = measure(name, known[name], model, momentum, options=options)
            row |= {"exact": asdict(exact), "other_fssh": other and asdict(other)}
            rows[name, model, momentum] = row
        order = {name: place for place, name in enumerate(known)}
        ordered = sorted(rows, key=lambda at: (get_args(Model).index(at[1]), at[2], order[at[0]]))
        measuring.finish(
            {
                "trajectories": options.trajectories,
                "seed": options.seed,
                "rows": [rows[at] for at in ordered],
            },
            about=about,
            path=options.json,
        )


def arguments() -> argparse.Namespace:
    parser = measuring.parser(__doc__)
    parser.add_argument("--trajectories", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--methods", nargs="+", help="some of them; all if left out")
    parser.add_argument("--models", nargs="+", choices=get_args(Model), default=get_args(Model))
    parser.add_argument("--momenta", nargs="+", type=float, help="those of the table if left out")
    parser.add_argument("--add", action="store_true", help="keep the other rows of the JSON file")
    return parser.parse_args()


def kept(options: argparse.Namespace) -> dict[tuple[str, Model, float], dict[str, Any]]:
    """Rows that are there already, if they are to be kept."""
    if not (options.add and options.json and options.json.exists()):
        return {}
    found = json.loads(options.json.read_text(encoding="utf-8"))
    for name in ("trajectories", "seed"):
        if found[name] != getattr(options, name):
            raise SystemExit(f"{options.json} was made with {name} {found[name]}")
    return {(row["method"], row["model"], row["momentum"]): row for row in found["rows"]}


def methods() -> Iterator[tuple[str, How]]:
    """Name of each method, and what makes it; each once."""
    seen = []
    for name, how in _named():
        preset, overrides = how
        data = {"dynamics": {"preset": preset, "timestep_au": 1.0, "max_steps": 1}}
        section = apply_overrides(data, overrides)["dynamics"]
        made = validate(section, DynamicsConfig, where=name)
        settings = made.model_dump(exclude={"preset", "rescaling"})
        if settings not in seen:
            seen.append(settings)
            yield name, how


def _named() -> Iterator[tuple[str, How]]:
    for name in PRESETS:
        yield name, (name, [])
    for kind, registered in KINDS.items():
        for name in registered:
            companions = COMPANIONS.get(name, [])
            yield f"{kind}={name}", (BASE, [f"dynamics.{kind}={name}", *companions])


def cases(options: argparse.Namespace) -> Iterator[tuple[Model, float]]:
    """Models with their momenta."""
    for model in options.models:
        tabulated = [momentum for name, momentum in table("exact") if name == model]
        for momentum in options.momenta or tabulated:
            yield model, momentum


def measure(
    name: str, how: How, model: Model, momentum: float, *, options: argparse.Namespace
) -> dict[str, Any]:
    """Run one method on one case; what cannot be combined is said, not left out."""
    row: dict[str, Any] = {"method": name, "model": model, "momentum": momentum}
    preset, overrides = how
    began = time.perf_counter()
    try:
        outcome = run_tully(
            model,
            momentum,
            trajectories=options.trajectories,
            seed=options.seed,
            preset=preset,
            overrides=overrides,
        )
    except ConfigError as error:
        print(f"{name:36} {model} {momentum:<4g} not possible: {error.message}")
        return row | {"not_possible": error.message}
    show(name, f"{model} {momentum:g}", outcome.fractions.values, unfinished=outcome.unfinished)
    return row | asdict(outcome) | {"seconds": time.perf_counter() - began}


def show(name: str, case: str, values: tuple[float, ...], *, unfinished: float = 0.0) -> None:
    numbers = " ".join(f"{value:8.4f}" for value in values)
    more = f"  unfinished {unfinished:.4f}" if unfinished else ""
    print(f"{name:36} {case:8} {numbers}{more}", flush=True)


if __name__ == "__main__":
    main()

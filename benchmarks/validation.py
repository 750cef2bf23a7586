"""Surface hopping on Tully's models: every method, model and momentum beside what is known.

    python benchmarks/validation.py [--trajectories 2000] [--json FILE]
    python benchmarks/validation.py --methods fssh fssh-edc --models ecr --momenta 14 30

A method is a preset (`namd config methods`) or the preset `fssh` with one key changed to another
method of the registry ("hopping=…"): whatever is registered is measured. Each row gives the
fractions of all trajectories in the four channels with their standard errors, the numbers of an
independent FSSH program where there are some, and the exact ones. A deviation from exact beyond the
standard error is that of the *method*, which more trajectories do not cure: numbers that agree with
the independent program but not with quantum mechanics are right, and surface hopping is not.

2000 trajectories, all models and the 18 momenta of the exact table take about a minute per method
on one core.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, get_args

import measuring

from namd.config.presets import PRESETS
from namd.dynamics.catalogue import KINDS
from namd.errors import ConfigError
from namd.nn.parallel import use_threads
from namd.validation.tully_reference import Model, exact_channels, table
from namd.validation.tully_run import run_tully

BASE = "fssh"


def main() -> None:
    options = arguments()
    about = measuring.machine(threads=1)
    use_threads()
    known = dict(methods())
    names = options.methods or list(known)
    for name in names:
        if name not in known:
            raise SystemExit(f"no method is called {name}; there are: {', '.join(known)}")
    rows = []
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
            rows.append(row)
    measuring.finish(
        {"trajectories": options.trajectories, "seed": options.seed, "rows": rows},
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
    return parser.parse_args()


def methods() -> Iterator[tuple[str, tuple[str, list[str]]]]:
    """Name of each method, and the preset and overrides that make it."""
    for name in PRESETS:
        yield name, (name, [])
    base = PRESETS[BASE].settings
    for kind, registered in KINDS.items():
        for name in registered:
            if base.get(kind) != name:
                yield f"{kind}={name}", (BASE, [f"dynamics.{kind}={name}"])


def cases(options: argparse.Namespace) -> Iterator[tuple[Model, float]]:
    """Models with their momenta."""
    for model in options.models:
        tabulated = [momentum for name, momentum in table("exact") if name == model]
        for momentum in options.momenta or tabulated:
            yield model, momentum


def measure(
    name: str,
    how: tuple[str, list[str]],
    model: Model,
    momentum: float,
    *,
    options: argparse.Namespace,
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
    print(f"{name:36} {case:8} {numbers}{f'  unfinished {unfinished:.4f}' if unfinished else ''}")


if __name__ == "__main__":
    main()

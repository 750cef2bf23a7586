"""Diabatic populations of surface hopping beside exact ones: Morse models, pyrazine, spin-boson.

    python benchmarks/populations.py [--trajectories 500] [--json FILE] [--figure FILE]
    python benchmarks/populations.py --cases pyrazine --methods fssh fssh-edc

Every method starts from the same initial conditions and has the same random numbers. Given are
the mean and the largest deviation |P - exact| over all compared times and states, and the largest
standard error of a population: a deviation well beyond it is the method's, not the sample's. The
exact curves come from `results/exact-populations.json` (benchmarks/exact_populations.py). Ten
minutes on one core that does nothing else.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import measuring
import numpy as np
from exact.cases import CASES
from exact.figure import draw
from exact.trajectories import Curves, run_case

from namd.analysis.figures import check_figure_path, save_figure
from namd.nn.parallel import use_threads

METHODS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "fssh": {"preset": "fssh"},
        "fssh-edc": {"preset": "fssh-edc"},
        "a-fssh": {"preset": "fssh", "decoherence": "a-fssh"},
        "npi": {"preset": "fssh", "electronic": "npi"},
        "curvature": {"preset": "fssh", "electronic": "curvature"},
        "landau-zener": {"preset": "fssh", "hopping": "landau-zener", "electronic": "none"},
    }
)
"""Keys of the ``dynamics`` section: a preset, and what is changed in it."""

EXACT = Path(__file__).parent / "results" / "exact-populations.json"


def main() -> None:
    options = arguments()
    about = measuring.machine(threads=1)
    use_threads()
    if options.figure is not None:
        check_figure_path(options.figure)
    curves = json.loads(EXACT.read_text(encoding="utf-8"))["curves"]
    print(f"{'case':12} {'method':14} {'mean':>7} {'largest':>8} {'s.e.':>7} {'seconds':>8}")
    rows, bands = [], []
    for name in options.cases:
        exact = np.array(curves[name]["populations"])
        for method in options.methods:
            row, found = measure(name, method, exact, options=options)
            rows.append(row)
            bands.append(found)
    if options.figure is not None:
        save_figure(draw(rows, bands, curves), options.figure)
        print(f"Figure written to {options.figure}")
    measuring.finish(
        {"trajectories": options.trajectories, "seed": options.seed, "rows": rows},
        about=about,
        path=options.json,
    )


def arguments() -> argparse.Namespace:
    parser = measuring.parser(__doc__)
    parser.add_argument("--trajectories", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--figure", type=Path, metavar="FILE", help="also draw all curves")
    return parser.parse_args()


def measure(
    name: str, method: str, exact: np.ndarray, *, options: argparse.Namespace
) -> tuple[dict[str, Any], Curves]:
    """Run one method on one case and say how far from exact it is."""
    case = CASES[name]
    began = time.perf_counter()
    found = run_case(
        name, case, METHODS[method], trajectories=options.trajectories, seed=options.seed
    )
    seconds = time.perf_counter() - began
    deviation = np.abs(found.populations - exact)
    error = found.standard_errors.max()
    parked = f"  {found.parked} parked" if found.parked else ""
    print(
        f"{name:12} {method:14} {deviation.mean():7.3f} {deviation.max():8.3f} {error:7.3f} "
        f"{seconds:8.1f}{parked}"
    )
    row = {
        "case": name,
        "method": method,
        "mean_deviation": round(float(deviation.mean()), 4),
        "largest_deviation": round(float(deviation.max()), 4),
        "largest_standard_error": round(float(error), 4),
        "parked": found.parked,
        "seconds": round(seconds, 1),
        "populations": found.populations.round(4),
    }
    return row, found


if __name__ == "__main__":
    main()

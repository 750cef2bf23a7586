"""What the method changes for cis-stilbene at CASSCF, on one member and from the same starts.

    python benchmarks/casscf_methods.py --output runs/methods --json FILE [--trajectories 125]
    python benchmarks/casscf_methods.py --output runs/methods --only 'no decoherence' curvature

Every variant is `namd run surface-hopping stilbene-cis-casscf` with one thing changed: decoherence,
what becomes of the momentum, the propagation of the amplitudes, the time step, who is excited.
Seeds are the same, so that all but the windows of excitation are compared in pairs with the run as
shipped. A run that is there is not made again; stopped or killed, the same command goes on.

What the numbers mean: medians and shares of all trajectories, and their differences from the run as
shipped with 95 % intervals, a star where they do not hold zero (of forty differences two would have
one by chance); hops at gaps above 1.5 eV, where fewest switches counts every loss of an amplitude
that comes and goes.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import measuring
from casscf_trajectories import of_hops

from namd.analysis.comparison import Comparison, Versus, compare
from namd.cli import console
from namd.cli.main import cli
from namd.config.classes import AnalysisConfig
from namd.errors import NamdError
from namd.io.ensemble import Ensemble, read_ensemble

SHIPPED = "as shipped"


def _window(low: float, high: float) -> tuple[str, ...]:
    chosen = f"{{selection: window, window_ev: [{low}, {high}]}}"
    return ("initial_conditions.state=null", f"initial_conditions.excitation={chosen}")


VARIANTS: dict[str, tuple[str, ...]] = {
    SHIPPED: (),
    "no decoherence": ("dynamics.preset=fssh",),
    "unSMASH": ("dynamics.preset=unsmash",),
    "Landau-Zener": ("dynamics.preset=landau-zener",),
    "along the velocity": ("dynamics.rescaling=velocity",),
    "coupling vectors": ("dynamics.electronic=nac-vectors",),
    "curvature": ("dynamics.electronic=curvature",),
    "0.25 fs": ("dynamics.timestep_fs=0.25",),
    "1 fs": ("dynamics.timestep_fs=1",),
    "excited below 6 eV": _window(4.0, 6.0),
    "excited above 6 eV": _window(6.0, 8.0),
}


def main() -> int:
    options = _options()
    about = measuring.machine()
    names = list(dict.fromkeys([SHIPPED, *(options.only or VARIANTS)]))
    try:
        runs = [made(options.output, name, trajectories=options.trajectories) for name in names]
        classes = AnalysisConfig.model_validate(runs[0].config["analysis"])
        found = compare(runs, names, classes=classes)
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    hops = {name: of_hops(run) for name, run in zip(names, runs, strict=True)}
    show(found, hops)
    rows = [
        {
            "variant": run.label,
            "settings": VARIANTS[run.label],
            "lifetime": run.lifetime,
            "shares": run.yields and run.yields.classes,
            "hops": hops[run.label],
        }
        for run in found.runs
    ]
    result = {"variants": rows, f"less_{SHIPPED.replace(' ', '_')}": found.differences}
    measuring.finish(result, about=about, path=options.json)
    return 0


def made(output: Path, name: str, *, trajectories: int) -> Ensemble:
    """Run a variant as far as that is not done, and read it."""
    folder = output / name.lower().replace(" ", "-")
    words = ["run", "surface-hopping", "stilbene-cis-casscf", "--output", str(folder)]
    words += ["--trajectories", str(trajectories)]
    words += [word for setting in VARIANTS[name] for word in ("--set", setting)]
    if not (folder / "ensemble.h5").exists():
        words += ["--resume"] * folder.exists()
        cli.main(args=words, prog_name="namd", standalone_mode=False)
    return read_ensemble(folder)


def show(found: Comparison, hops: dict[str, dict[str, Any]]) -> None:
    """A row for each variant: what came out, and a star where it differs by more than chance."""
    products = list(found.runs[0].yields.classes) if found.runs[0].yields else []
    differences: dict[str, Versus] = {row.label: row for row in found.differences}
    rows = []
    for run in found.runs:
        versus = differences.get(run.label)
        lifetime = "–" if run.lifetime is None else f"{run.lifetime.value_fs:.1f}"
        late = versus is not None and versus.lifetime is not None
        cells = [lifetime + _star(versus.lifetime if versus and late else None, suffix="_fs")]
        for product in products:
            share = run.yields.classes[product].fraction if run.yields else None
            value = "–" if share is None else f"{share:.3f}"
            cells.append(value + _star(versus and versus.shares[product]))
        wide = next(count for key, count in hops[run.label].items() if "gaps_above" in key)
        rows.append([run.label, *cells, f"{wide} of {hops[run.label]['hops_to_s0']}"])
    console.table(["variant", "lifetime/fs", *products, "wide hops"], rows)


def _star(difference: Any, *, suffix: str = "") -> str:
    if difference is None:
        return " "
    lower, upper = getattr(difference, f"lower{suffix}"), getattr(difference, f"upper{suffix}")
    return "*" if lower > 0 or upper < 0 else " "


def _options() -> argparse.Namespace:
    parser = measuring.parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--trajectories", type=int, default=125, help="of each variant [125]")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), help="these variants")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

r"""Active learning of ethylene against random choice of labels, round by round.

    namd active-learn models/ethylene-casscf/active.yaml --output runs/active
    namd active-learn models/ethylene-casscf/active.yaml --output runs/random \
      --set selection.random=0 --set stop.rounds=4 --set model=runs/active/start/model
    python benchmarks/ethylene_loop.py runs/active runs/random --test test-labels.h5 \
      --json benchmarks/results/ethylene-loop.json --figure docs/ethylene-loop.png

Both loops begin with the same committee and add up to 100 frames in every round: the one those that
`namd active-learn select` chooses, the other frames drawn from all of its own trajectories. This
puts them beside each other: labels (repeats, which are left out when labels are added, do not
count), how many trajectories were parked and how far they came, and the errors of every round's
committee on labels that neither has seen (docs/from-a-molecule.md says how those are made).

What the numbers mean: one seed, two members, small networks; the parked share is of 48
trajectories. It is what the loop does, not how accurate a model of ethylene can be.
"""

import json
import sys
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from namd.analysis.figures import PALE, PALETTE, STYLE, save_figure, write_title
from namd.cli import console
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.errors import NamdError
from namd.io.ensemble import is_parked, read_ensemble
from namd.nn.parallel import use_threads
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.train.predictors import load_predictor
from namd.units import FS_PER_ATOMIC_TIME

WAYS = ("active", "random")
EARLY_FS = 20.0
PANELS = {
    "parked_early": f"parked within {EARLY_FS:.0f} fs",
    "parked_fraction": "parked within the run, 40 fs",
    "energy_mae_mev": "energy error / meV",
    "gap_mae_mev": "gap error / meV",
    "force_mae_mev_per_angstrom": "force error / meV/Å",
    "coupling_r2": "coupling R²",
}


def main() -> int:
    parser = measuring.parser(__doc__)
    parser.add_argument("active", type=Path, help="folder of the active loop")
    parser.add_argument("random", type=Path, help="folder of the random one")
    parser.add_argument("--test", type=Path, required=True, help="labels that neither has seen")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="also draw it")
    options = parser.parse_args()
    use_threads()
    about = measuring.machine()
    try:
        test = read_dataset(options.test)
        folders = (options.active, options.random)
        rounds = {way: rows(folder, test) for way, folder in zip(WAYS, folders, strict=True)}
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    show(rounds, frames=len(test))
    if options.figure is not None:
        save_figure(draw(rounds, frames=len(test)), options.figure)
    result = {"level_of_theory": test.level_of_theory, "test_frames": len(test), "rounds": rounds}
    measuring.finish(result, about=about, path=options.json)
    return 0


def rows(folder: Path, test: Dataset) -> list[dict[str, Any]]:
    """What the loop says of each round, with the errors of its committee on the test."""
    told = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["rounds"]
    kept = ("round", "labels", "trajectories", "parked", "parked_fraction", "parking_reasons")
    found = []
    for each in told:
        run = folder / f"round-{each['round']:02d}" / "run"
        row = {name: each[name] for name in kept} | survival(run)
        found.append(row | errors(Path(each["model"]), test))
    return found


def survival(run: Path) -> dict[str, float]:
    """How far trajectories came: median time, fs, and the share parked within the first ones."""
    ensemble = read_ensemble(run)
    time = ensemble.final_step * ensemble.timestep * FS_PER_ATOMIC_TIME
    early = is_parked(ensemble) & (time < EARLY_FS - 1e-6)
    return {"trusted_fs": float(np.median(time)), "parked_early": float(early.mean())}


def errors(model: Path, test: Dataset) -> dict[str, Any]:
    """Mean absolute errors over all states, and R² and cosine of the couplings."""
    table = error_table(compare(load_predictor(model), test))
    states = table["states"]
    return {
        "energy_mae_mev": float(np.mean([state["energy_mae_mev"] for state in states])),
        "gap_mae_mev": table["gap_mae_mev"],
        "force_mae_mev_per_angstrom": float(
            np.mean([state["force_mae_mev_per_angstrom"] for state in states])
        ),
        "coupling_r2": table["coupling_r2"],
        "coupling_cosine": table["coupling_cosine"],
    }


def show(rounds: dict[str, list[dict[str, Any]]], *, frames: int) -> None:
    console.table(
        [
            "chosen",
            "round",
            "labels",
            "parked",
            "in 20 fs",
            "median fs",
            "E meV",
            "gap meV",
            "F meV/Å",
            "h R²",
        ],
        [
            [
                way,
                str(row["round"]),
                str(row["labels"]),
                f"{row['parked']} of {row['trajectories']}",
                f"{100 * row['parked_early']:.0f} %",
                f"{row['trusted_fs']:.1f}",
                f"{row['energy_mae_mev']:.0f}",
                f"{row['gap_mae_mev']:.0f}",
                f"{row['force_mae_mev_per_angstrom']:.0f}",
                f"{row['coupling_r2']:.2f}",
            ]
            for way in WAYS
            for row in rounds[way]
        ],
        title=f"Errors on {frames} frames of trajectories that neither loop has seen",
    )


def draw(rounds: dict[str, list[dict[str, Any]]], *, frames: int) -> Figure:
    with rc_context(STYLE):
        figure = Figure(figsize=(8.4, 4.8), layout="constrained")
        panels = figure.subplots(2, len(PANELS) // 2, sharex=True).ravel()
        for axes, (name, label) in zip(panels, PANELS.items(), strict=True):
            for way, colour, marker in zip(WAYS, PALETTE, "os", strict=False):
                points = [(row["labels"], row[name]) for row in rounds[way]]
                axes.plot(
                    *zip(*points, strict=True), color=colour, marker=marker, markersize=4, label=way
                )
            axes.set_ylabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.grid(color=PALE, lw=0.4, alpha=0.6)
            if name != "coupling_r2":
                axes.set_ylim(bottom=0)
        for axes in panels[len(panels) // 2 :]:
            axes.set_xlabel("labels")
        for axes in panels[:2]:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            axes.set_ylim(0.0, 1.05)
        panels[0].legend()
        write_title(figure, "Ethylene, active against random labels", f"{frames} test frames")
    return figure


if __name__ == "__main__":
    sys.exit(main())

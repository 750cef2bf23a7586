"""What each round of labels taught: models of stilbene-casscf against the number of labels.

    python benchmarks/casscf_rounds.py --output FOLDER --json benchmarks/results/casscf-rounds.json
        --test FILE … [--control FILE] [--only STAGE …] [--seeds 2] [--presentations 60000]
        [--trajectories N] [--figure FILE]

The labels of models/stilbene-casscf/data/labels.h5 are revealed as they were made: samples and
searches first, then, round by round, what the models of that time were least sure of. On each set
a model is trained as train.yaml has it, from the weights of stilbene-ssr, with equal presentations
at every stage, and tested on frames that no model has seen or chosen. With --control
models/stilbene-casscf/data/control.h5 two more: round 5 cut to the number of those frames
(chosen), and those instead of it, drawn at random from the same trajectories (control). With
--trajectories each model also runs so many of cis-stilbene for 600 fs, from the same starts and
with the same random numbers, and says what has become of them. --only takes some stages: start,
round0 …, chosen, control.

What the numbers mean: errors at equal training, not of converged trainings; the rounds were chosen
by models that had been trained less. A model that is there is not trained again; stopped or
killed, the same command goes on.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measuring
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from namd.analysis.figures import PALETTE, STYLE, save_figure
from namd.analysis.yields import quantum_yields
from namd.cli import console
from namd.cli.analyze_classes import read_classes
from namd.cli.main import cli
from namd.data.combining import concatenate
from namd.data.dataset import Dataset
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.errors import NamdError
from namd.io.ensemble import read_ensemble
from namd.nn.parallel import use_threads
from namd.train.evaluation import compare
from namd.train.metrics import error_table
from namd.train.predictors import load_predictor

FOLDER = Path(__file__).parents[1] / "models" / "stilbene-casscf"
# searches that began from what the trajectories of a round's model came to
LATE = {"meci-h0": "round4", "meci-h2": "round4", "relax-carbene": "round6"}
CONTROLLED = "round5"  # chosen from the trajectories that control.h5 was drawn from
QUANTITIES = {
    "energy_mae_mev": "energies / meV",
    "gap_mae_mev": "gap / meV",
    "force_mae_mev_per_angstrom": "forces / (meV/Å)",
    "coupling_r2": "couplings, R²",
}
MARKERS = {"chosen": "^", "control": "x"}
DURATION_FS = 600.0  # nine in ten have left S1 by then


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A set of labels, a seed, and the model trained on them."""

    folder: Path
    name: str
    seed: int
    labels: Dataset

    def run(
        self, tests: dict[str, Dataset], *, presentations: int, trajectories: int
    ) -> dict[str, Any]:
        """Train and run, as far as that is not done, and test."""
        self._train(presentations)
        predictor = load_predictor(self.folder / "model")
        found = {name: error_table(compare(predictor, test)) for name, test in tests.items()}
        errors = {name: measuring.errors_over_states(table) for name, table in found.items()}
        result = {"name": self.name, "seed": self.seed, "labels": len(self.labels), "tests": errors}
        return result | ({"shares": self.shares(trajectories)} if trajectories else {})

    def _train(self, presentations: int) -> None:
        model, data = self.folder / "model", self.folder / "labels.h5"
        if (model / "model.json").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_dataset(self.labels, data, overwrite=True)
        epochs = max(1, round(presentations / len(self.labels)))
        changes = {
            "data.file": str(data.resolve()),
            "data.validation": "[pool-*5, wigner-*5]",
            "data.test": "[]",
            "optimiser.epochs": epochs,
            "optimiser.patience_epochs": epochs,
            "seed": self.seed,
        }
        words = ["train", str(FOLDER / "train.yaml"), "--output", str(model)]
        words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
        begun = (model / "train.yaml").exists()
        _namd(words + ["--resume"] * begun)

    def shares(self, trajectories: int) -> dict[str, float]:
        """What trajectories of cis-stilbene on the model have become."""
        output = self.folder / f"cis-{trajectories}"
        words = ["run", "surface-hopping", "stilbene-cis-casscf", "--output", str(output)]
        words += ["--trajectories", str(trajectories), "--seed", str(self.seed + 1)]
        words += ["--set", f"potential.model={(self.folder / 'model').resolve()}"]
        words += ["--set", f"dynamics.duration_fs={DURATION_FS}"]
        if not (output / "ensemble.h5").exists():
            _namd(words + ["--resume"] * output.exists())
        ensemble = read_ensemble(output)
        classes = quantum_yields(ensemble, read_classes(ensemble, None)).classes
        return {name: float(found.fraction or 0.0) for name, found in classes.items()}


def _namd(words: list[str]) -> None:
    cli.main(args=words, prog_name="namd", standalone_mode=False)


def main() -> int:
    options = _options()
    use_threads()
    about = measuring.machine()
    try:
        labels = read_dataset(FOLDER / "data" / "labels.h5")
        control = read_dataset(options.control) if options.control else None
        tests = {path.stem: read_dataset(path) for path in options.test}
        made = stages(labels, control)
        names = options.only or list(made)
        if unknown := set(names) - set(made):
            sys.exit(f"no stage {', '.join(sorted(unknown))}: {', '.join(made)}")
        results = [
            Stage(
                folder=options.output / f"seed-{seed}" / f"{name}-{len(chosen):04d}",
                name=name,
                seed=seed,
                labels=chosen,
            ).run(tests, presentations=options.presentations, trajectories=options.trajectories)
            for seed in range(options.seeds)
            for name, chosen in made.items()
            if name in names
        ]
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    show(results)
    show_shares(results)
    if options.figure is not None:
        save_figure(figure(results), options.figure)
    settings = {
        "seeds": options.seeds,
        "presentations": options.presentations,
        "trajectories": options.trajectories,
        "duration_fs": DURATION_FS,
    }
    measuring.finish({"settings": settings, "stages": results}, about=about, path=options.json)
    return 0


def stages(labels: Dataset, control: Dataset | None) -> dict[str, Dataset]:
    """The labels by the end of each round; with a control also two that end with as many frames."""
    pairs = zip(labels["group"].astype(str), labels["source"].astype(str), strict=True)
    sources = np.array([LATE.get(group, source) for group, source in pairs])
    rounds = sorted({name for name in sources if name.startswith("round")})
    start = ~np.isin(sources, rounds)
    sets = {
        name: labels.select(start | np.isin(sources, rounds[: number + 1]))
        for number, name in enumerate(rounds)
    }
    made = {"start": labels.select(start)} | sets
    if control is not None:
        earlier = rounds[: rounds.index(CONTROLLED)]
        before = labels.select(start | np.isin(sources, earlier))
        selected = labels.select(np.flatnonzero(sources == CONTROLLED))
        number = min(len(selected), len(control))
        for name, drawn in (("chosen", selected), ("control", control)):
            even = np.linspace(0, len(drawn) - 1, number).round().astype(int)
            made[name] = concatenate([before, drawn.select(even)])
    return made


def show(results: list[dict[str, Any]]) -> None:
    """A row for each set of labels and test: mean over seeds."""
    rows = []
    for name in dict.fromkeys(result["name"] for result in results):
        of_stage = [result for result in results if result["name"] == name]
        for test in of_stage[0]["tests"]:
            values = [
                np.mean([result["tests"][test][quantity] for result in of_stage])
                for quantity in QUANTITIES
            ]
            cells = [f"{value:.1f}" for value in values[:-1]] + [f"{values[-1]:.3f}"]
            rows.append([name, str(of_stage[0]["labels"]), test, *cells])
    console.table(["labels of", "frames", "test", "E/meV", "gap/meV", "F/(meV/Å)", "h R²"], rows)


def show_shares(results: list[dict[str, Any]]) -> None:
    """A row for each model that ran trajectories."""
    ran = [result for result in results if "shares" in result]
    if not ran:
        return
    names = list(ran[0]["shares"])
    rows = [
        [result["name"], str(result["labels"]), str(result["seed"])]
        + [f"{result['shares'][name]:.2f}" for name in names]
        for result in ran
    ]
    console.table(["labels of", "frames", "seed", *names], rows)


def figure(results: list[dict[str, Any]]) -> Figure:
    """Errors against the number of labels; beside the line, equal numbers chosen and at random."""
    with rc_context(STYLE):
        made = Figure(figsize=(7.2, 5.0), layout="constrained")
        panels = made.subplots(2, 2, sharex=True).ravel()
        for axes, (quantity, label) in zip(panels, QUANTITIES.items(), strict=True):
            for colour, test in zip(PALETTE, results[0]["tests"], strict=False):
                _curve(axes, results, test=test, quantity=quantity, colour=colour)
            axes.set_ylabel(label)
            if quantity != "coupling_r2":
                axes.set_ylim(bottom=0.0)
        for axes in panels[2:]:
            axes.set_xlabel("labelled frames")
        panels[0].legend(loc="best", fontsize=7)
    return made


def _curve(
    axes: Axes, results: list[dict[str, Any]], *, test: str, quantity: str, colour: str
) -> None:
    def values(found: list[dict[str, Any]]) -> list[float]:
        return [result["tests"][test][quantity] for result in found]

    for seed in {result["seed"] for result in results}:
        line = [r for r in results if r["seed"] == seed and r["name"] not in MARKERS]
        name = test if seed == results[0]["seed"] else None
        axes.plot([r["labels"] for r in line], values(line), "o-", color=colour, ms=3, label=name)
        for stage, marker in MARKERS.items():
            alone = [r for r in results if r["seed"] == seed and r["name"] == stage]
            axes.plot([r["labels"] for r in alone], values(alone), marker, color=colour, ms=6)


def _options() -> argparse.Namespace:
    made = measuring.parser(__doc__)
    made.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    made.add_argument("--test", type=Path, nargs="+", required=True, metavar="FILE")
    made.add_argument("--control", type=Path, metavar="FILE")
    made.add_argument("--only", nargs="+", metavar="STAGE", help="of these stages [all]")
    made.add_argument("--seeds", type=int, default=2)
    made.add_argument("--presentations", type=int, default=60000, help="frames shown [60000]")
    made.add_argument("--trajectories", type=int, default=0, metavar="N", help="of each model [0]")
    made.add_argument("--figure", type=Path, metavar="FILE")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

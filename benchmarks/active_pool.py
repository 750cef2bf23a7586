"""Active against random choice of labels: the shipped labels of stilbene as a pool.

    python benchmarks/active_pool.py --output FOLDER --json benchmarks/results/active-pool.json
        --figure docs/active-pool.png [--seeds 3] [--labels 100 200 400 800]

Labels of the training groups are hidden and revealed when they are chosen: at random, or by
`namd.active.selection` for a committee trained on those revealed so far (uncertainty in E, gap and
F, near-degeneracy, novelty; batches made varied by farthest points; filled up where fewer frames
have a reason). Both ways begin with the same random frames and go on from the weights of the stage
before, with equal presentations for every member at every stage. Errors are those of the mean of
the committee on evenly spread frames of the shipped test groups: whole trajectories, Wigner
samples and twist scans of which no frame is in the pool.

What the numbers mean: error at equal numbers of labels and equal training, not of converged
trainings. The pool has been thinned already (neighbours along a trajectory differ), so that random
choice is as good as it can be; a pool of raw trajectories would favour the active way.

A stage that is finished is not repeated; stopped or killed, the same command goes on.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from active.figure import PANELS, draw
from active.pool import STRATEGIES, Pool
from active.stages import Budget, Stage, stages
from measuring import errors_over_states, finish, machine, parser

from namd.analysis.figures import save_figure
from namd.errors import NamdError
from namd.nn.parallel import use_threads


def main() -> int:
    options = _options()
    use_threads()
    about = machine()
    pool = Pool(validation=options.validation, test=options.test, frames=options.pool)
    budget = Budget(members=options.members, presentations=options.presentations)
    strategies = list(STRATEGIES)
    every = stages(
        options.output, seeds=options.seeds, counts=options.labels, strategies=strategies
    )
    try:
        for number, stage in enumerate(every):
            what = stage.strategy or "first"
            print(f"{number + 1}/{len(every)}  seed {stage.seed}, {what}, {stage.count} labels")
            stage.run(pool, budget)
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    table = summarise(every, strategies=strategies)
    _show(table)
    seconds = sum(result["cpu_seconds"] for stage in every if (result := stage.result))
    sizes = {name: len(part) for name, part in pool.parts.items()}
    settings = {
        "frames": sizes,
        "seeds": options.seeds,
        "members": options.members,
        "presentations_per_member_and_stage": options.presentations,
        "cpu_seconds": seconds,
    }
    if options.figure is not None:
        subject = (
            f"stilbene, pool of {sizes['pool']} labels, committees of {options.members}, "
            f"{sizes['test']} test frames; bands: range over {options.seeds} seeds"
        )
        save_figure(draw(table, subject=subject), options.figure)
        print(f"written to {options.figure}")
    stored = {"settings": settings, "table": table, "stages": [stage.result for stage in every]}
    finish(stored, about=about, path=options.json)
    return 0


def summarise(every: list[Stage], *, strategies: list[str]) -> dict[str, Any]:
    """Way → number of labels → quantity → mean, smallest and largest over the seeds."""
    table: dict[str, Any] = {way: {} for way in strategies}
    for stage in every:
        result = stage.result
        if result is None:
            continue
        for way in [stage.strategy] if stage.strategy else strategies:
            table[way].setdefault(str(stage.count), []).append(_numbers(result))
    return {
        way: {
            count: {
                name: {
                    "mean": float(np.mean([row[name] for row in rows])),
                    "smallest": min(row[name] for row in rows),
                    "largest": max(row[name] for row in rows),
                }
                for name, _ in PANELS
            }
            for count, rows in points.items()
        }
        for way, points in table.items()
    }


def _numbers(result: dict[str, Any]) -> dict[str, float]:
    return errors_over_states(result["errors"]) | {"gap_mae_mev_near": result["gap_mae_mev_near"]}


def _show(table: dict[str, Any]) -> None:
    print(f"\n{'labels':>7} {'':8}" + "".join(f"{name:>28}" for name, _ in PANELS))
    for count in table[STRATEGIES[0]]:
        for way, points in table.items():
            cells = [points[count][name] for name, _ in PANELS]
            text = "".join(
                f"{cell['mean']:12.3f} ({cell['smallest']:.3f}–{cell['largest']:.3f})".rjust(28)
                for cell in cells
            )
            print(f"{count:>7} {way:8}{text}")


def _options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    made.add_argument("--figure", type=Path, metavar="FILE", help="also draw")
    made.add_argument("--seeds", type=int, default=3)
    made.add_argument("--labels", type=int, nargs="+", default=[100, 200, 400, 800])
    made.add_argument("--members", type=int, default=3, help="of each committee [3]")
    made.add_argument(
        "--presentations", type=int, default=5000, help="frames shown to a member per stage [5000]"
    )
    made.add_argument("--pool", type=int, metavar="N", help="use N frames of the pool [all]")
    made.add_argument("--validation", type=int, default=48, help="validation frames [48]")
    made.add_argument("--test", type=int, default=216, help="test frames [216]")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())

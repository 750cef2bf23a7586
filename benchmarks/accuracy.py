"""Accuracy of published networks and ours: same data, splits, budget and seeds for all.

    python benchmarks/accuracy.py train --output FOLDER [--networks …] [--cases …] [--seeds …]
        [--workers 2] [--device cpu|cuda] [--presentations N]

trains what is not yet trained in FOLDER, a process of one thread for each; stop it (Ctrl-C) and
start it again at will: trainings go on from their last epoch, several such commands may share a
folder. What is compared is in comparison/networks.py, on what in comparison/cases.py; how to read
the numbers is in docs/network-comparison.md.

    python benchmarks/accuracy.py rates --output FOLDER [--json FILE]

tries three learning rates for one network of every family, with one seed and a twelfth of the
budget.

    python benchmarks/accuracy.py times --json benchmarks/results/accuracy-times.json

times a presentation and a step of every network, those of a case in turns, on one thread of a
machine that does nothing else.

    python benchmarks/accuracy.py table --input FOLDER --json benchmarks/results/accuracy.json
        [--page docs/network-comparison.md] [--figure docs/network-comparison.png]

puts what is finished together, beside what the JSON holds of networks and cases that FOLDER lacks;
without --input the tables and figures are made of the JSON.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparison.cases import CASES
from comparison.collect import collect, keep, read_results
from comparison.figure import draw
from comparison.networks import NETWORKS
from comparison.rates import show_rates
from comparison.runner import Runner, process_starter
from comparison.table import tables, write_tables
from comparison.tasks import Task, queue
from measuring import finish, machine

from namd.analysis.figures import save_figure
from namd.errors import DataError, NamdError

TRIED_ON = ["ours", "mace-16", "cormorant"]
TRIED_RATES = (0.002, 0.005, 0.01)
TRIAL_PRESENTATIONS = 1425
TIMES = Path(__file__).parent / "results" / "accuracy-times.json"


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return int(options.action(options))
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


def train(options: argparse.Namespace) -> int:
    tasks = queue(networks=options.networks, cases=options.cases, seeds=options.seeds)
    return _run(tasks, options)


def rates(options: argparse.Namespace) -> int:
    tasks = [
        Task(case=case, network=network, seed=seed, learning_rate=rate)
        for case in options.cases
        for network in options.networks
        for seed in options.seeds
        for rate in TRIED_RATES
    ]
    status = _run(tasks, options)
    show_rates(tasks, options.output, path=options.json)
    return status


def times(options: argparse.Namespace) -> int:
    """Time the networks of a case in turns; of other cases keep what the JSON has."""
    from comparison.times import measure, timed_cases  # noqa: PLC0415  (torch)

    from namd.benchmark.clock import Plan  # noqa: PLC0415  (torch)

    about = machine(threads=1)
    plan = Plan(repeats=options.repeats, seconds=options.seconds)
    earlier = _cases(options.json) if options.cases and options.json.exists() else {}
    found = measure(plan, options.cases or timed_cases())
    finish({"cases": earlier | found}, about=about, path=options.json)
    return 0


def table(options: argparse.Namespace) -> int:
    """Collect, print, and keep what is asked for."""
    if options.input is not None:
        from comparison.costs import add_operations, add_times  # noqa: PLC0415  (torch)

        results = read_results(options.input)
        if not results:
            raise DataError("no training is finished here", where=str(options.input))
        cases = collect(results)
        if options.json is not None and options.json.exists():
            keep(_cases(options.json), cases)
        add_operations(cases)
        add_times(cases, _cases(TIMES))
        finish({"cases": cases}, about=machine(), path=options.json)
    elif options.json is not None:
        cases = _cases(options.json)
    else:
        raise DataError("there is nothing to make a table of", where="--input, --json")
    print("\n".join(tables(cases)))
    if options.page is not None:
        write_tables(options.page, cases)
    if options.figure is not None:
        for name, case in cases.items():
            path = options.figure.with_stem(f"{options.figure.stem}-{name}")
            save_figure(draw(case), path)
            print(f"written to {path}")
    return 0


def _cases(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))["cases"])


def one(options: argparse.Namespace) -> int:
    """One training in this process."""
    from comparison.training import train as train_here  # noqa: PLC0415  (torch, here alone)

    task = Task(
        case=options.case,
        network=options.network,
        seed=options.seed,
        learning_rate=options.learning_rate,
    )
    train_here(task, options.output, presentations=options.presentations, device=options.device)
    return 0


def _run(tasks: list[Task], options: argparse.Namespace) -> int:
    print(f"{len(tasks)} trainings, {options.workers} at a time", flush=True)
    os.nice(options.nice)
    runner = Runner(
        root=options.output,
        tasks=tasks,
        workers=options.workers,
        start=process_starter(
            options.output, presentations=options.presentations, device=options.device
        ),
        cost=lambda task: task.cost(options.presentations),
        say=lambda line: print(line, flush=True),
    )
    return 1 if runner.run() else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(action: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(action.__name__, help=text)
        command.set_defaults(action=action)
        return command

    def add_training(command: argparse.ArgumentParser, *, presentations: int | None) -> None:
        command.add_argument("--output", type=Path, required=True, metavar="FOLDER")
        command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
        command.add_argument(
            "--presentations", type=int, metavar="N", default=presentations, help="another budget"
        )

    several = (
        (add(train, "train what is not yet trained"), list(NETWORKS), list(CASES), [0, 1, 2], None),
        (add(rates, "try learning rates"), TRIED_ON, ["stilbene-285"], [0], TRIAL_PRESENTATIONS),
    )
    for command, networks, cases, seeds, presentations in several:
        add_training(command, presentations=presentations)
        command.add_argument("--networks", nargs="+", default=networks, choices=NETWORKS)
        command.add_argument("--cases", nargs="+", default=cases, choices=CASES)
        command.add_argument("--seeds", nargs="+", type=int, default=seeds)
        command.add_argument("--workers", type=int, default=2, help="side by side [2]")
        command.add_argument(
            "--nice", type=int, default=10, help="who else computes comes first [10]"
        )
    command.add_argument("--json", type=Path, metavar="FILE", help="keep the trials")

    command = add(one, "train one network once, in this process")
    add_training(command, presentations=None)
    command.add_argument("case", choices=CASES)
    command.add_argument("network", choices=NETWORKS)
    command.add_argument("seed", type=int)
    command.add_argument("--learning-rate", type=float, help="of a trial")

    command = add(times, "time a presentation and a step of every network")
    command.add_argument("--json", type=Path, default=TIMES, metavar="FILE", help="result")
    command.add_argument("--cases", nargs="+", choices=CASES, help="these alone [all]")
    command.add_argument("--repeats", type=int, default=5, help="stretches of each [5]")
    command.add_argument("--seconds", type=float, default=1.0, help="of a stretch [1]")

    command = add(table, "collect results; tables and figures")
    command.add_argument("--input", type=Path, metavar="FOLDER", help="output of `train`")
    command.add_argument("--json", type=Path, metavar="FILE", help="results, to write or to read")
    command.add_argument("--page", type=Path, metavar="FILE", help="Markdown page with marks")
    command.add_argument("--figure", type=Path, metavar="FILE", help="FILE-case.png for each case")
    return parser.parse_args()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""Accuracy of published networks and ours: same data, splits, budget and seeds for all.

    python benchmarks/accuracy.py train --output FOLDER [--networks …] [--cases …] [--seeds …]
        [--workers 2] [--device cpu|cuda] [--presentations N]

trains what is not yet trained in FOLDER, a process of one thread for each; stop it (Ctrl-C) and
start it again at will: trainings go on from their last epoch, several such commands may share a
folder. What is compared is in comparison/networks.py, on what in comparison/cases.py; how to read
the numbers is in docs/network-comparison.md.

    python benchmarks/accuracy.py rates --output FOLDER [--json FILE]

tries three learning rates for every network, with one seed and a twelfth of the budget.

    python benchmarks/accuracy.py table --input FOLDER --json benchmarks/results/accuracy.json
        [--page docs/network-comparison.md] [--figure docs/network-comparison.png]

puts what is finished together; without --input the tables and figures are made of the JSON.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import measuring
from comparison.cases import CASES
from comparison.collect import collect, read_results
from comparison.figure import draw
from comparison.networks import NETWORKS
from comparison.rates import show_rates
from comparison.runner import Runner, process_starter
from comparison.table import tables, write_tables
from comparison.tasks import Task, queue

from namd.analysis.figures import save_figure
from namd.errors import DataError, NamdError

NICE = 10  # whoever works on the same machine comes first
TRIED_RATES = (0.002, 0.005, 0.01)
TRIAL_PRESENTATIONS = 1425


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
        Task(case=options.cases[0], network=network, seed=options.seeds[0], learning_rate=rate)
        for network in options.networks
        for rate in TRIED_RATES
    ]
    options.presentations = options.presentations or TRIAL_PRESENTATIONS
    status = _run(tasks, options)
    show_rates(tasks, options.output, path=options.json)
    return status


def table(options: argparse.Namespace) -> int:
    """Collect, print, and keep what is asked for."""
    if options.input is not None:
        from comparison.costs import add_operations  # noqa: PLC0415  (torch)

        results = read_results(options.input)
        if not results:
            raise DataError("no training is finished here", where=str(options.input))
        machines = [result["machine"] for result in results]
        cases = collect(results)
        add_operations(cases)
        measuring.finish({"cases": cases}, about=machines[0], path=options.json)
    elif options.json is not None:
        cases = json.loads(options.json.read_text(encoding="utf-8"))["cases"]
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


def one(options: argparse.Namespace) -> int:
    """One training in this process."""
    from comparison.training import train as train_here  # noqa: PLC0415  (torch, here alone)

    task = Task(
        case=options.cases[0],
        network=options.networks[0],
        seed=options.seeds[0],
        learning_rate=options.learning_rate,
    )
    train_here(task, options.output, presentations=options.presentations, device=options.device)
    return 0


def _run(tasks: list[Task], options: argparse.Namespace) -> int:
    print(f"{len(tasks)} trainings, {options.workers} at a time", flush=True)
    os.nice(NICE)
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
    for action, help_text in (
        (train, "train what is not yet trained"),
        (rates, "try learning rates"),
        (one, "train one network once, in this process"),
    ):
        command = commands.add_parser(action.__name__, help=help_text)
        command.set_defaults(action=action)
        command.add_argument("--output", type=Path, required=True, metavar="FOLDER")
        command.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
        first = ["stilbene-285"] if action is rates else list(CASES)
        command.add_argument("--cases", nargs="+", default=first, choices=CASES)
        seeds = [0] if action is rates else [0, 1, 2]
        command.add_argument("--seeds", nargs="+", type=int, default=seeds)
        command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
        command.add_argument("--presentations", type=int, metavar="N", help="another budget")
        if action is one:
            command.add_argument("--learning-rate", type=float)
        else:
            command.add_argument("--workers", type=int, default=2, help="side by side [2]")
        if action is rates:
            command.add_argument("--json", type=Path, metavar="FILE", help="keep the trials")
    command = commands.add_parser("table", help="collect results; tables and figures")
    command.set_defaults(action=table)
    command.add_argument("--input", type=Path, metavar="FOLDER", help="output of `train`")
    command.add_argument("--json", type=Path, metavar="FILE", help="results, to write or to read")
    command.add_argument("--page", type=Path, metavar="FILE", help="Markdown page with marks")
    command.add_argument("--figure", type=Path, metavar="FILE", help="FILE-case.png for each case")
    return parser.parse_args()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

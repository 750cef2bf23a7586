"""``namd active-learn CONFIG``: the rounds, each a folder."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


@click.command(
    epilog="Exit codes: 0 a target or limit is reached, 2 configuration, 3 data or model, 4 a "
    "physics guard, 75 waiting for labels, or stopped by SIGTERM or a full disk, 130 Ctrl-C; after "
    "the last two the same command goes on."
)
@click.argument("config", type=FILE)
@click.option("--output", type=FILE, required=True, help="Folder of the rounds.")
@click.option("--json", "as_json", is_flag=True, help="Print the table of rounds as JSON.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key, e.g. selection.budget=50; may be repeated.",
)
def loop(*, config: Path, output: Path, as_json: bool, overrides: tuple[str, ...]) -> None:
    """Make rounds of: run, select, label, add, train; until a target or a limit is reached.

    \b
    ethylene.yaml:
      run: {config: run.yaml}                 # `namd run`; its potential is the round's model
      training: {config: train.yaml, members: 4, later_overrides: [optimiser.epochs=60]}
      labelling: {config: label.yaml, workers: 4}
      selection: {budget: 100}
      stop: {parked_fraction: 0.02, rounds: 6}

    \b
    Examples:
      namd active-learn ethylene.yaml --output runs/ethylene
      namd active-learn ethylene.yaml --output runs/ethylene --set stop.rounds=8

    Every round is a folder: run/, report.json (test errors, parked trajectories, energies, stop or
    not), selected.h5, labels.h5, dataset.h5, model/, and commands.sh, which does the same by hand.
    What is finished is not repeated: called again, the command goes on where it was stopped or
    killed. Without `labelling` it stops where labels are needed and goes on when they are there.
    `namd config schema active-learn` documents every key.

    \b
    JSON: rounds (list: the reports), stopped (why).
    """
    from namd.cli.active_learn_job import run_loop

    run_loop(config, output=output, overrides=overrides, as_json=as_json)

"""``namd train``: a labelled dataset in, a model folder out."""

from pathlib import Path
from typing import Any

import click

from namd.cli import console


@click.command(
    epilog="Exit codes: 0 done, 2 configuration, 3 data, 4 loss is not a number, 75 stopped by "
    "SIGTERM or a full disk, 130 Ctrl-C; after the last two the same command with --resume goes on."
)
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help="Model folder [default: runs/NAME]."
)
@click.option(
    "--members",
    type=click.IntRange(min=2),
    metavar="K",
    help="Train a committee of so many models, which differ in their seeds.",
)
@click.option("--resume", is_flag=True, help="Go on from the folder's last checkpoint.")
@click.option("--dry-run", is_flag=True, help="Check configuration and data, train nothing.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override one key, e.g. optimiser.epochs=50; may be repeated.",
)
def train(
    *,
    config: Path,
    output: Path | None,
    members: int | None,
    resume: bool,
    dry_run: bool,
    overrides: tuple[str, ...],
) -> None:
    """Train a network on energies, forces and couplings of several states.

    \b
    Examples:
      namd train models/stilbene-ssr/train.yaml --output runs/my-model
      namd train models/stilbene-ssr/train.yaml --dry-run
      namd train my.yaml --set network.channels=64 --set optimiser.epochs=100
      namd train my.yaml --output runs/my-model --resume
      namd train my.yaml --members 4 --output runs/my-committee
      namd train mofd-sparse-16 --set data.file=my.h5 --set data.states=2

    CONFIG is a YAML file, or the name of a published network; `namd config schema train` documents
    every key. The model folder holds weights, errors per state and per gap bin, parity plots, a
    card, the log and the checkpoint.

    A committee is one model made of K: its folder holds theirs (member-1, …) and committee.json,
    and can be named wherever a model can. Its prediction is the mean, its uncertainty the standard
    deviation over the members. --resume with a larger K adds members.
    """
    from namd.cli.train_members import train_members
    from namd.cli.train_progress import tell, train_with_progress
    from namd.config.loading import load_config
    from namd.config.training import TrainingConfig
    from namd.dynamics.stopping import stop_on_signals
    from namd.io.atomic import remove_leftovers
    from namd.io.library import find_training_config, in_library
    from namd.io.run_folder import RunFolder, locked
    from namd.nn.parallel import use_threads
    from namd.train import pipeline
    from namd.train.committee import check_kind, plan_members

    use_threads()
    config = find_training_config(str(config)) or in_library(config)
    base = config.parent
    settings = load_config(config, TrainingConfig, overrides)
    folder = output if output is not None else Path("runs") / settings.name
    if resume:
        check_kind(folder, members=members)
    plans = () if members is None else plan_members(settings, members, folder=folder, base=base)
    job = pipeline.prepare(plans[0].config if plans else settings, base=base)
    tell(job, members=members)
    if dry_run:
        console.result("configuration and data are good; nothing was trained (--dry-run)")
        return
    found = pipeline.open_folder(folder, settings, resume=resume)
    command = ["train", str(config), "--output", str(folder)]
    command += [] if members is None else ["--members", str(members)]
    command += [word for override in overrides for word in ("--set", override)]
    with locked(RunFolder(folder)), stop_on_signals() as stop, console.resumable(*command):
        remove_leftovers(folder)
        if plans:
            metrics = train_members(plans, folder, name=settings.name, base=base, stop=stop)
        else:
            metrics = train_with_progress(job, folder, resume=found, stop=stop)
    _show(metrics, folder)


def _show(metrics: dict[str, Any], folder: Path) -> None:
    from namd.train.card import error_headings, error_rows

    for part, errors in metrics["errors"].items():
        rows = error_rows(errors, metrics["states"])
        console.table(error_headings(metrics["states"]), rows, title=f"Errors on {part} frames")
        console.result()
    console.result(f"model  {folder}")
    console.note(f"next:  namd evaluate {folder} DATA --figure parity.png")

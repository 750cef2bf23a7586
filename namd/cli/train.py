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
    config: Path, output: Path | None, resume: bool, dry_run: bool, overrides: tuple[str, ...]
) -> None:
    """Train a network on energies, forces and couplings of several states.

    \b
    Examples:
      namd train models/stilbene-ssr/train.yaml --output runs/my-model
      namd train models/stilbene-ssr/train.yaml --dry-run
      namd train my.yaml --set network.channels=64 --set optimiser.epochs=100
      namd train my.yaml --output runs/my-model --resume

    CONFIG is a YAML file; `namd config schema train` documents every key. The model folder holds
    weights, errors per state and per gap bin, parity plots, a card, the log and the checkpoint.
    """
    from namd.config.loading import load_config
    from namd.config.training import TrainingConfig
    from namd.dynamics.stopping import stop_on_signals
    from namd.errors import ResumableStop
    from namd.io.atomic import remove_leftovers
    from namd.io.library import in_library
    from namd.io.run_folder import RunFolder, locked
    from namd.nn.parallel import use_threads
    from namd.train import pipeline

    use_threads()
    config = in_library(config)
    settings = load_config(config, TrainingConfig, overrides)
    job = pipeline.prepare(settings, base=config.parent)
    summary = job.summary
    console.note(
        f"{summary['model']}: {summary['molecule']}, states {' '.join(summary['states'])}, "
        f"{summary['level_of_theory']}\n"
        f"{summary['network']} network, {summary['parameters']} parameters, on "
        f"{summary['device']}; {summary['training_frames']} training, "
        f"{summary['validation_frames']} validation, {summary['test_frames']} test frames; "
        f"{summary['epochs']} epochs of {summary['steps_per_epoch']} steps"
    )
    if dry_run:
        console.result("configuration and data are good; nothing was trained (--dry-run)")
        return
    folder = output if output is not None else Path("runs") / settings.name
    found = pipeline.open_folder(folder, settings, resume=resume)
    command = ["train", str(config), "--output", str(folder)]
    command += [word for override in overrides for word in ("--set", override)]
    with locked(RunFolder(folder)), stop_on_signals() as stop, console.resumable(*command):
        remove_leftovers(folder)
        try:
            metrics = _with_progress(job, folder, resume=found, stop=stop)
        except OSError as error:
            raise ResumableStop(
                f"the model folder cannot be written: {error.strerror}",
                where=str(folder),
                hint="make room, then go on with --resume",
            ) from error
    _show(metrics, folder)


def _with_progress(job: Any, folder: Path, *, resume: bool, stop: Any) -> dict[str, Any]:
    """Run with a progress bar on a terminal, and a line per epoch on stderr.

    A request to stop is heard after every step; the epoch that is under way is lost.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from namd.train import pipeline
    from namd.train.log import EpochReport

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    frames = len(job.training)
    epochs = job.config.optimiser.epochs
    with console.progress(*columns) as bar:
        task = bar.add_task("", total=frames * epochs, epoch="1")

        def report(row: EpochReport) -> None:
            left = (epochs - row.epoch - 1) * row.seconds
            console.note(
                f"epoch {row.epoch + 1}/{epochs}  loss {row.training['total']:.4f}  "
                f"validation {row.validation['total']:.4f} (best in epoch {row.best_epoch + 1})  "
                f"{row.frames_per_second:.0f} frames/s  {left / 60:.0f} min left"
            )
            bar.update(task, completed=frames * (row.epoch + 1), epoch=str(row.epoch + 2))

        def advance(count: int) -> None:
            bar.advance(task, count)
            if stop:
                raise stop.error(
                    "training stopped; the checkpoint of the last finished epoch is kept",
                    where=str(folder),
                    hint="go on with --resume",
                )

        return pipeline.run(job, folder, resume=resume, report=report, advance=advance)


def _show(metrics: dict[str, Any], folder: Path) -> None:
    from namd.train.card import error_headings, error_rows

    for part, errors in metrics["errors"].items():
        rows = error_rows(errors, metrics["states"])
        console.table(error_headings(metrics["states"]), rows, title=f"Errors on {part} frames")
        console.result()
    console.result(f"model  {folder}")
    console.note(f"next:  namd evaluate {folder} DATA --figure parity.png")

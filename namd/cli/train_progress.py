"""What is seen of a training while it runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from namd.cli import console

if TYPE_CHECKING:
    from namd.dynamics.stopping import StopRequest
    from namd.train.pipeline import Job


def tell(job: "Job", *, members: int | None) -> None:
    """Say what is going to be trained on what."""
    summary = job.summary
    each = "" if members is None else f"a committee of {members}, each: "
    console.note(
        f"{each}{summary['model']}: {summary['molecule']}, states {' '.join(summary['states'])}, "
        f"{summary['level_of_theory']}\n"
        f"{summary['network']} network, {summary['parameters']} parameters, on "
        f"{summary['device']}; {summary['training_frames']} training, "
        f"{summary['validation_frames']} validation, {summary['test_frames']} test frames; "
        f"{summary['epochs']} epochs of {summary['steps_per_epoch']} steps"
    )
    if job.moved_ev:
        console.note(
            f"the labels lie {job.moved_ev:+.2f} eV from {job.config.initial_weights}: taken for "
            "those of another method, the zero of energy moved there"
        )
    if job.site_signs is not None:
        labels = job.model.information.states.labels
        console.note(job.site_signs.told(labels))
        if against := job.site_signs.doubt(labels):
            console.warn(against)


def train_with_progress(
    job: "Job", folder: Path, *, resume: bool, stop: "StopRequest"
) -> dict[str, Any]:
    """Run with a progress bar on a terminal, and a line per epoch on stderr.

    A request to stop is heard after every step; the epoch that is under way is lost.

    Raises
    ------
    ResumableStop, Interrupted
        If asked to stop, or the disk is full.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from namd.errors import ResumableStop
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

        try:
            return pipeline.run(job, folder, resume=resume, report=report, advance=advance)
        except OSError as error:
            raise ResumableStop(
                f"the model folder cannot be written: {error.strerror}",
                where=str(folder),
                hint="make room, then go on with --resume",
            ) from error

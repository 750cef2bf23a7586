"""``namd label --collect``: a dataset of what an unfinished labelling has by now."""

from dataclasses import replace
from pathlib import Path

from namd.cli import console
from namd.cli.label_job import Request, prepare, write
from namd.errors import ConfigError, DataError
from namd.io.saving import refuse_existing
from namd.qm.labelling import read_results, refuse_changes, tell


def collect(request: Request, path: Path) -> None:
    """Write the labels finished by now, of a labelling that is stopped or still running.

    Nothing in its folder is touched: labels are whole or absent at any moment.

    Raises
    ------
    NamdError
        If no such labelling is under way, it is of other frames or settings, or nothing is
        finished.
    """
    if path.resolve() == request.output.resolve():
        raise ConfigError(
            "this is where the labelling itself will write",
            where=f"--collect {path}",
            hint="name another file",
        )
    if not request.force:
        refuse_existing(path)
    job = prepare(request)
    if not job.folder.path.exists():
        done = request.output.exists()
        raise ConfigError(
            "this labelling is complete" if done else "no labelling into this dataset was begun",
            where=str(request.output),
            hint="use the dataset" if done else "begin it without --collect",
        )
    refuse_changes(job.folder, job.describe())
    results = read_results(job.folder)
    if not results:
        raise DataError(
            "no label is finished yet", where=str(job.folder.path), hint="try again later"
        )
    story = tell(results, job.frames, job=job.describe(), source=request.frames.name)
    write(replace(job, request=replace(request, output=path)), results, story)
    console.result(
        f"{path}: {story['labelled']} of {len(job.frames)} frames of "
        f"{job.frames.molecule.formula}, {story['failed']} failed; the rest of "
        f"{request.output} is not finished"
    )

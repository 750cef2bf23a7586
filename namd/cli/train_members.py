"""The steps of ``namd train --members``: one training after the other, then one model of all."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from namd.cli import console
from namd.cli.train_progress import train_with_progress

if TYPE_CHECKING:
    from namd.dynamics.stopping import StopRequest
    from namd.train.committee import Plan


def train_members(
    plans: "Sequence[Plan]", folder: Path, *, name: str, base: Path, stop: "StopRequest"
) -> dict[str, Any]:
    """Train the members that are not complete, the one that was under way first.

    Parameters
    ----------
    plans
        All members.
    folder, name
        Of the committee.
    base
        Folder of the configuration.
    stop
        Asked after every step.

    Returns
    -------
    The content of the committee's ``metrics.json``.

    Raises
    ------
    ResumableStop, Interrupted
        If asked to stop, or the disk is full; members that are trained are kept.
    """
    from namd.errors import ResumableStop
    from namd.io.atomic import remove_leftovers
    from namd.io.run_folder import RunFolder, locked
    from namd.train import pipeline
    from namd.train.committee import conclude

    job = None
    for plan in plans:
        if plan.is_complete:
            console.note(f"member {plan.number} of {len(plans)} is trained")
            continue
        console.note(f"member {plan.number} of {len(plans)}, seed {plan.config.seed}")
        job = pipeline.prepare(plan.config, base=base)
        plan.folder.mkdir(exist_ok=True)
        with locked(RunFolder(plan.folder)):
            remove_leftovers(plan.folder)
            begun = (plan.folder / pipeline.CONFIG_FILE).is_file()
            found = pipeline.open_folder(plan.folder, plan.config, resume=begun)
            train_with_progress(job, plan.folder, resume=found, stop=stop)
    if job is None:
        job = pipeline.prepare(plans[-1].config, base=base)
    console.note(f"errors of the mean of all {len(plans)}")
    try:
        return conclude(job, plans, folder, name=name)
    except OSError as error:
        raise ResumableStop(
            f"the folder of the committee cannot be written: {error.strerror}",
            where=str(folder),
            hint="make room, then go on with --resume",
        ) from error

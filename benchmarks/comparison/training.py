"""One training of the comparison, in a process of its own: fit, errors, one small JSON.

Checkpoints, resuming and the lock are those of ``namd train``; a training killed at any moment goes
on from its last finished epoch.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import measuring
import torch

from comparison.cases import CASES, ROOT, configure, evenly
from comparison.errors import errors
from comparison.networks import NETWORKS
from comparison.tasks import Task
from namd.analysis.jsonable import jsonable
from namd.config.training import TrainingConfig
from namd.errors import PhysicsError
from namd.io.atomic import remove_leftovers, write_text
from namd.io.run_folder import RunFolder, locked
from namd.nn.model_folder import save_model
from namd.nn.parallel import use_threads
from namd.train import pipeline
from namd.train.evaluation import compare
from namd.train.planned import summary_of
from namd.train.trainer import Progress, fit


def train(task: Task, root: Path, *, presentations: int | None, device: str) -> dict[str, Any]:
    """Train, or go on training, and write the result of a task.

    Parameters
    ----------
    task
        What to train.
    root
        Folder of the comparison.
    presentations
        Another budget than the case's.
    device
        ``cpu`` (one thread) or ``cuda``.

    Returns
    -------
    dict
        What was written to ``task.result(root)``. A loss that is no number is a result as well:
        ``failed`` then says where.

    Raises
    ------
    ConfigError
        If another process is at this training, or it was begun with another configuration.
    """
    use_threads(1)
    about = measuring.machine(threads=1)
    config = configure(
        case=task.case,
        network=task.network,
        seed=task.seed,
        presentations=presentations,
        learning_rate=task.learning_rate,
        device=device,
    )
    folder = task.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(RunFolder(folder)):
        remove_leftovers(folder)
        begun = (folder / pipeline.CONFIG_FILE).is_file()
        found = pipeline.open_folder(folder, config, resume=begun)
        job = pipeline.prepare(config, base=ROOT)
        result = _head(task, job) | {"device": _device_name(device), "machine": about}
        try:
            result |= _fit(job, folder, watched=CASES[task.case].watched, resume=found)
        except PhysicsError as error:
            result["failed"] = str(error)
        else:
            result |= _measure(job, folder, trial=task.learning_rate is not None)
        text = json.dumps(jsonable(result), indent=2, allow_nan=False, ensure_ascii=False)
        write_text(task.result(root), text + "\n")
    return result


def digest(config: TrainingConfig) -> str:
    """SHA-256 of what a configuration changes of the defaults; where it is trained does not count.

    So a setting that is new, and as it always was, leaves the digests of earlier trainings valid.
    """
    content = config.model_dump(mode="json", exclude_defaults=True, exclude={"device"})
    if content["network"].get("offdiagonal_bound") == "tanh":  # as it always was
        del content["network"]["offdiagonal_bound"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _head(task: Task, job: pipeline.Job) -> dict[str, Any]:
    summary = summary_of(job.model.information)
    optimiser = job.config.optimiser
    return {
        "case": task.case,
        "network": task.network,
        "title": NETWORKS[task.network].title,
        "seed": task.seed,
        "states": list(job.model.information.states.labels),
        "learning_rate": optimiser.learning_rate,
        "batch_size": optimiser.batch_size,
        "parameters": summary.parameters,
        "frames": {
            "training": len(job.training),
            "validation": len(job.validation),
            "test": len(job.test),
        },
        "epochs": optimiser.epochs,
        "presentations": optimiser.epochs * len(job.training),
        "config_sha256": digest(job.config),
    }


def _fit(job: pipeline.Job, folder: Path, *, watched: int, resume: bool) -> dict[str, Any]:
    """Train; the model ends with its best averaged weights."""
    progress: Progress = fit(
        job.model,
        training=job.training,
        validation=job.validation.select(evenly(len(job.validation), watched)),
        config=job.config,
        folder=folder,
        numberings=job.numberings,
        resume=resume,
    )
    return {"validation_loss": progress.best_loss, "best_epoch": progress.best_epoch}


def _measure(job: pipeline.Job, folder: Path, *, trial: bool) -> dict[str, Any]:
    """Errors on what was held out; nothing for trials."""
    if trial:
        return {}
    weights = save_model(job.model, folder)
    found = {
        "validation": errors(compare(job.model, job.validation)),
        "test": errors(compare(job.model, job.test)),
    }
    return {"weights_sha256": weights, "errors": found}


def _device_name(device: str) -> str:
    return "cpu" if device == "cpu" else torch.cuda.get_device_name(device)

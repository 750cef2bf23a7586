"""Frames per second of a training, by the loop of ``namd train`` itself."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from namd.benchmark.clock import Plan, Spread
from namd.config.training import TrainingConfig
from namd.train import pipeline, trainer
from namd.train.log import EpochReport

_VALIDATION = 4  # frames: the time they take is not counted


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpeed:
    """Frames per second, forward, backward and update of the weights.

    Parameters
    ----------
    frames_per_second
        Of the epochs after the first.
    frames, batch_size
        Frames of an epoch and of a step.
    derivatives
        ``full`` or ``sampled``: of every frame all forces and couplings are learned, or one.
    states
        States that are learned.
    """

    frames_per_second: Spread
    frames: int
    batch_size: int
    derivatives: str
    states: int


def training_speed(
    config: TrainingConfig, plan: Plan, *, base: Path, most_frames: int = 320
) -> TrainingSpeed:
    """Train a fresh network for some epochs of as many frames as fill a stretch of time.

    Parameters
    ----------
    config
        The training; its epochs and frames are replaced.
    plan
        How many epochs are timed and how long each shall take.
    base
        Folder of the configuration.
    most_frames
        Frames of an epoch at most.

    Raises
    ------
    DataError
        If the data cannot be used.
    ConfigError
        If the configuration does not fit them.
    """
    size = config.optimiser.batch_size
    _, rates = _train(config, base=base, frames=size, epochs=2)
    batches = max(1, int(min(plan.seconds * rates[1] / size, most_frames // size)))
    job, rates = _train(config, base=base, frames=batches * size, epochs=1 + plan.repeats)
    return TrainingSpeed(
        frames_per_second=Spread.of(rates[1:]),
        frames=len(job.training),
        batch_size=min(size, len(job.training)),
        derivatives=config.loss.derivatives,
        states=len(job.model.information.states),
    )


def _train(
    config: TrainingConfig, *, base: Path, frames: int, epochs: int
) -> tuple[pipeline.Job, list[float]]:
    """What was trained, and the frames per second of every epoch; the first one compiles."""
    changed = config.model_copy(
        update={
            "data": config.data.model_copy(update={"max_train_frames": frames}),
            "optimiser": config.optimiser.model_copy(
                update={"epochs": epochs, "patience_epochs": epochs}
            ),
        }
    )
    job = pipeline.prepare(changed, base=base)
    reports: list[EpochReport] = []
    with TemporaryDirectory() as scratch:
        trainer.fit(
            job.model,
            training=job.training,
            validation=job.validation.select(np.arange(min(_VALIDATION, len(job.validation)))),
            config=changed,
            folder=Path(scratch),
            numberings=job.numberings,
            report=reports.append,
        )
    return job, [report.frames_per_second for report in reports]

"""The training loop: epochs of shuffled batches, moving average, checkpoints, early stopping.

Everything that is random or scheduled depends only on (seed, epoch, step), so that a killed
training resumes to the same bits on the same machine.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from namd.config.training import TrainingConfig
from namd.data.dataset import Dataset
from namd.errors import PhysicsError
from namd.nn.model import DiabaticModel
from namd.train.batch_loss import mean_loss, set_gradient
from namd.train.checkpoint import load_checkpoint, save_checkpoint
from namd.train.labels import Labels
from namd.train.log import LOSS_TERMS, EpochReport, append_row, truncate_log
from namd.units import EV_PER_HARTREE


@dataclass
class Progress:
    """Where a training stands; stored in its checkpoint."""

    epoch: int = 0
    step: int = 0
    best_loss: float = math.inf
    best_epoch: int = -1
    best_weights: dict[str, Tensor] = field(default_factory=dict)


def initialise(model: DiabaticModel, dataset: Dataset, *, diabatic: bool = False) -> None:
    """Fix scale, shift and input normalisation from the training frames.

    The scale is 1 eV; the shift of diabat k is the mean energy of state k (of the highest state
    for surplus diabats, raised by 1 eV each), or, where the network shall learn the diabats of the
    labels (``diabatic``), the mean energy of diabat k.
    """
    scale = 1.0 / EV_PER_HARTREE
    mean = dataset["energies"].mean(0)
    if diabatic:
        mean = np.nanmean(dataset["diabatic_hamiltonian"].diagonal(axis1=1, axis2=2), axis=0)
    surplus = model.information.diabats - len(mean)
    shift = np.concatenate([mean, mean[-1] + scale * np.arange(1, surplus + 1)])
    model.scale.fill_(scale)
    model.shift.copy_(torch.from_numpy(shift))
    stride = max(1, len(dataset) // 256)
    sample = torch.from_numpy(dataset["positions"][::stride]).to(model.shift.device)
    model.network.calibrate(sample.to(model.dtype))


def learning_rate(config: TrainingConfig, *, step: int, total_steps: int) -> float:
    """Linear warm-up, then a cosine to ``final_fraction`` of the peak."""
    o = config.optimiser
    warm = min(1.0, (step + 1) / max(1, o.warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / max(1, total_steps))))
    return o.learning_rate * warm * (o.final_fraction + (1.0 - o.final_fraction) * cosine)


def fit(
    model: DiabaticModel,
    *,
    training: Dataset,
    validation: Dataset,
    config: TrainingConfig,
    folder: Path,
    numberings: Int[np.ndarray, "numbering atom"] | None = None,
    resume: bool = False,
    report: Callable[[EpochReport], None] = lambda _: None,
    advance: Callable[[int], None] = lambda _: None,
) -> Progress:
    """Train ``model`` in place; it ends with the best averaged weights.

    Parameters
    ----------
    model
        Initialised by :func:`initialise` unless resuming.
    training, validation
        Checked datasets; validation decides which weights are kept and when to stop.
    config
        The resolved configuration.
    folder
        Receives ``checkpoint.pt`` and ``log.csv``.
    numberings
        Equivalent numberings of the atoms; every training frame is shown in a random one of them.
        None: always as it is.
    resume
        Continue from the folder's last good checkpoint.
    report, advance
        Called after every epoch, and after every step with the number of frames done.

    Raises
    ------
    PhysicsError
        If the loss is not a number.
    DataError
        If there is no checkpoint to resume from.
    """
    device = model.shift.device
    train, watch = Labels.of(training, device), Labels.of(validation, device)
    if numberings is None:
        numberings = np.arange(train.positions.shape[1])[None]
    equivalent = torch.from_numpy(numberings).to(device)
    parameters = [p for p in model.network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters,
        lr=config.optimiser.learning_rate,
        weight_decay=config.optimiser.weight_decay,
    )
    average = copy.deepcopy(model)
    progress = Progress()
    log = folder / "log.csv"
    if resume:
        progress = load_checkpoint(
            folder, model=model, average=average, optimiser=optimiser, progress_class=Progress
        )
    truncate_log(log, rows=progress.epoch)
    per_epoch = math.ceil(len(train) / config.optimiser.batch_size)
    total_steps = per_epoch * config.optimiser.epochs
    while not _finished(progress, config):
        began = time.perf_counter()
        sums = dict.fromkeys(LOSS_TERMS, 0.0)
        late = progress.epoch >= 2 * config.optimiser.epochs / 3
        rate = 0.0
        for rows in _batches(len(train), config=config, epoch=progress.epoch):
            rate = learning_rate(config, step=progress.step, total_steps=total_steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            numbering = _drawn_numbering(
                equivalent, rows=len(rows), config=config, step=progress.step
            )
            chosen = train.take(rows, numbering)
            terms = set_gradient(model, chosen, config=config, late=late, step=progress.step)
            _require_number(terms["total"], progress, kind="training")
            torch.nn.utils.clip_grad_norm_(parameters, config.optimiser.gradient_clip)
            optimiser.step()
            progress.step += 1
            _update_average(average, model, decay=config.optimiser.ema_decay, step=progress.step)
            for name in LOSS_TERMS:
                sums[name] += terms[name] * len(rows) / len(train)
            advance(len(rows))
        seconds = time.perf_counter() - began
        watched = mean_loss(average, watch, config=config)
        _require_number(watched["total"], progress, kind="validation")
        if watched["total"] < progress.best_loss:
            progress.best_loss, progress.best_epoch = watched["total"], progress.epoch
            progress.best_weights = copy.deepcopy(average.state_dict())
        row = EpochReport(
            epoch=progress.epoch,
            step=progress.step,
            learning_rate=rate,
            training=sums,
            validation=watched,
            best_epoch=progress.best_epoch,
            seconds=seconds,
            frames_per_second=len(train) / seconds,
        )
        append_row(log, row)
        progress.epoch += 1
        if progress.epoch % config.checkpoint_every_epochs == 0 or _finished(progress, config):
            save_checkpoint(
                folder, model=model, average=average, optimiser=optimiser, progress=progress
            )
        report(row)
    model.load_state_dict(progress.best_weights)
    return progress


def _finished(progress: Progress, config: TrainingConfig) -> bool:
    o = config.optimiser
    waited = progress.epoch - 1 - progress.best_epoch
    return progress.epoch >= o.epochs or (progress.epoch > 0 and waited >= o.patience_epochs)


def _batches(frames: int, *, config: TrainingConfig, epoch: int) -> Iterator[Tensor]:
    """Row numbers of each batch of one epoch; the order depends on (seed, epoch) alone."""
    generator = np.random.default_rng([config.seed, 0, epoch])
    order = torch.from_numpy(generator.permutation(frames))
    yield from torch.split(order, config.optimiser.batch_size)


def _drawn_numbering(
    numberings: Int[Tensor, "numbering atom"], *, rows: int, config: TrainingConfig, step: int
) -> Int[Tensor, "row atom"]:
    """A numbering of the atoms for every frame of a batch."""
    draw = np.random.default_rng([config.seed, 2, step]).integers(0, len(numberings), rows)
    return numberings[torch.from_numpy(draw).to(numberings.device)]


@torch.no_grad()
def _update_average(
    average: DiabaticModel, model: DiabaticModel, *, decay: float, step: int
) -> None:
    """Exponential moving average, shorter while the training is young."""
    keep = min(decay, (1.0 + step) / (10.0 + step))
    for mean, new in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(new, 1.0 - keep)


def _require_number(loss: float, progress: Progress, *, kind: str) -> None:
    if not math.isfinite(loss):
        raise PhysicsError(
            f"the {kind} loss is {loss} in epoch {progress.epoch + 1}, step {progress.step}",
            where="training",
            hint="lower optimiser.learning_rate or optimiser.gradient_clip; "
            "look at the data with `namd data inspect`",
        )

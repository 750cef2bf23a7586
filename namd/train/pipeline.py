"""From a training configuration to a model folder: data, split, fit, errors, figures, card."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from namd.config.head import DirectHead
from namd.config.loading import differing_keys, resolved_config
from namd.config.training import TrainingConfig
from namd.data.dataset import Dataset
from namd.data.permutations import bonds, equivalent_numberings
from namd.data.splits import split_groups
from namd.errors import ConfigError, DataError
from namd.io.atomic import write_text
from namd.io.library import find_model
from namd.nn.device import choose_device
from namd.nn.distance import save_distance
from namd.nn.factory import parameter_count
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import save_model
from namd.train.card import model_card
from namd.train.checkpoint import has_checkpoint
from namd.train.evaluation import compare
from namd.train.figures import write_parity_png
from namd.train.frames import read_frames
from namd.train.guarding import guard_model
from namd.train.log import EpochReport
from namd.train.metrics import error_table
from namd.train.site_signs import FoundSigns, take_site_signs, wants_site_signs
from namd.train.trainer import fit, initialise
from namd.train.warm_start import meet_energies, take_weights

CONFIG_FILE = "train.yaml"
_EIGENVALUE_TOLERANCE = 1e-4  # Hartree, 3 meV


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training that is ready to start."""

    config: TrainingConfig
    model: DiabaticModel
    training: Dataset
    validation: Dataset
    test: Dataset
    numberings: np.ndarray | None
    site_signs: FoundSigns | None = None
    moved_ev: float = 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """What will be trained on what; plain JSON types."""
        info = self.model.information
        return {
            "model": info.name,
            "molecule": info.molecule.formula,
            "states": list(info.states.labels),
            "level_of_theory": info.level_of_theory,
            "network": info.architecture.kind,
            "parameters": parameter_count(self.model.network),
            "training_frames": len(self.training),
            "validation_frames": len(self.validation),
            "test_frames": len(self.test),
            "equivalent_numberings": 1 if self.numberings is None else len(self.numberings),
            "device": str(self.model.shift.device),
            "steps_per_epoch": -(-len(self.training) // self.config.optimiser.batch_size),
            "epochs": self.config.optimiser.epochs,
        }


def prepare(config: TrainingConfig, *, base: Path) -> Job:
    """Read and check the data, split them, build and initialise the model.

    Parameters
    ----------
    config
        Validated configuration.
    base
        Folder that a relative ``data.file`` is tried against first.

    Raises
    ------
    DataError
        If the data cannot be used; the frame is named.
    ConfigError
        If the split leaves nothing to train on or to validate with, or there is no such device.
    """
    dataset = read_frames(config, base=base)
    split = split_groups(
        dataset["group"],
        validation=config.data.validation,
        test=config.data.test,
        validation_fraction=config.data.validation_fraction,
        test_fraction=config.data.test_fraction,
        seed=config.data.split_seed,
    )
    training, validation, test = (
        dataset.select(rows) for rows in (split.training, split.validation, split.test)
    )
    if len(training) == 0 or len(validation) == 0:
        raise ConfigError(
            f"the split leaves {len(training)} training and {len(validation)} validation frames",
            where="data",
            hint="lower data.validation_fraction and data.test_fraction or name fewer groups",
        )
    every, limit = training, config.data.max_train_frames
    if limit is not None and limit < len(training):
        training = training.select(np.linspace(0, len(training) - 1, limit).round().astype(int))
    states = len(dataset.states)
    if config.loss.derivatives == "sampled" and states != 2:
        raise ConfigError(
            f"derivatives can be sampled for 2 states only, the data have {states}",
            where='loss.derivatives = "sampled"',
            hint='use "full": the signs of several couplings must be chosen together',
        )
    model = DiabaticModel(model_information(config, dataset), seed=config.seed).to(
        choose_device(config.device)
    )
    if config.head.dipoles:
        _require_dipoles(training)
    diabatic = config.loss.target == "diabatic"
    if diabatic:
        _require_diabats(training, model.information)
    whole, moved = False, 0.0
    if config.initial_weights is None:
        initialise(model, training, diabatic=diabatic)
    else:
        whole = take_weights(model, find_model(config.initial_weights, base=base))
        moved = meet_energies(model, training)
    signed, site_signs, numberings = wants_site_signs(model), None, None
    if signed and not whole:
        site_signs = take_site_signs(model, every)
    if config.data.permute_equal_atoms and not signed:  # that treats all numberings alike
        bonded = bonds(dataset.molecule, training["positions"][0])
        numberings = equivalent_numberings(dataset.molecule, bonded)
    return Job(
        config=config,
        model=model,
        training=training,
        validation=validation,
        test=test,
        numberings=numberings,
        site_signs=site_signs,
        moved_ev=moved,
    )


def _require_dipoles(training: Dataset) -> None:
    name = "transition_dipoles"
    if name not in training or not np.isfinite(training[name]).all(-1).any():
        raise DataError(
            f"no training frame has {name}",
            where="head.dipoles = true",
            hint="use labels that have them, or leave head.dipoles at false",
        )


def _require_diabats(training: Dataset, information: ModelInformation) -> None:
    """Refuse ``loss.target: diabatic`` where labels or head have no such matrix."""
    where, states = "loss.target = diabatic", len(information.states)
    if isinstance(information.head, DirectHead) or information.diabats != states or states < 2:
        raise ConfigError(
            "a diabatic matrix is learned by the quasi-diabatic head with as many diabats as "
            "states, two at least",
            where=where,
            hint="set head.kind to quasi-diabatic and diabats to null, or target to adiabatic",
        )
    name = "diabatic_hamiltonian"
    matrix = training[name] if name in training else np.full((1, states, states), np.nan)
    known = np.isfinite(matrix).all((1, 2))
    if matrix.shape[1] != states or not known.any():
        raise DataError(
            f"no training frame has a {name} of {states} × {states}",
            where=where,
            hint="use labels that have it, or set loss.target to adiabatic",
        )
    levels = np.linalg.eigvalsh(matrix[known])
    error = np.abs(levels - training["energies"][known]).max(1)
    if error.max() > _EIGENVALUE_TOLERANCE:
        frame = int(np.flatnonzero(known)[error.argmax()])
        raise DataError(
            f"the eigenvalues of {name} differ from the energies by {error.max():.1e} Hartree in "
            f"training frame {frame} (0-based)",
            where=where,
            hint="W must belong to the states of the labels",
        )


def model_information(config: TrainingConfig, dataset: Dataset) -> ModelInformation:
    """What the model of a training is made for.

    Raises
    ------
    ConfigError
        If W is too small for the states of the data.
    """
    states = len(dataset.states)
    diabats = config.diabats if config.diabats is not None else states
    if diabats < states:
        raise ConfigError(
            f"W of size {diabats} cannot hold {states} states",
            where=f"diabats = {diabats}",
            hint=f"use null or at least {states}",
        )
    return ModelInformation(
        name=config.name,
        molecule=dataset.molecule,
        states=dataset.states,
        level_of_theory=dataset.level_of_theory,
        architecture=config.network,
        diabats=diabats,
        head=config.head,
    )


def open_folder(folder: Path, config: TrainingConfig, *, resume: bool) -> bool:
    """Make the model folder, or open it again; returns whether a checkpoint is there.

    Raises
    ------
    ConfigError
        If it exists and ``resume`` is false, or was begun with another configuration.
    DataError
        If there is nothing to resume.
    """
    stored = folder / CONFIG_FILE
    resolved = resolved_config(config)
    if not resume:
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise ConfigError(
                "this exists already and is never overwritten",
                where=str(folder),
                hint="add --resume to go on, or choose another --output",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(stored, yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
        except OSError as error:
            raise ConfigError(
                f"the model folder cannot be made: {error.strerror}", where=str(folder)
            ) from error
        return False
    if not stored.is_file():
        raise DataError(
            "there is no training to resume here",
            where=str(folder),
            hint="give the folder of the interrupted training with --output",
        )
    before = yaml.safe_load(stored.read_text(encoding="utf-8"))
    differing = differing_keys(before, resolved)
    if differing:
        raise ConfigError(
            f"the configuration has changed since this training began: {', '.join(differing)}",
            where=str(folder),
            hint="resume with the same configuration, or start another folder",
        )
    return has_checkpoint(folder)


def run(
    job: Job,
    folder: Path,
    *,
    resume: bool,
    report: Callable[[EpochReport], None] = lambda _: None,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Train and write the model folder; returns the content of ``metrics.json``.

    Written at the end: weights and header, ``distance.safetensors`` (how far a geometry is from the
    training frames, :mod:`namd.nn.distance`), ``metrics.json`` (errors on every part of the split),
    ``parity.png``, ``README.md`` (the model's card). Checkpoint and log are written on the way.
    """
    progress = fit(
        job.model,
        training=job.training,
        validation=job.validation,
        config=job.config,
        folder=folder,
        numberings=job.numberings,
        resume=resume,
        report=report,
        advance=advance,
    )
    digest = save_model(job.model, folder)
    metrics: dict[str, Any] = {
        **job.summary,
        "sha256": digest,
        "best_epoch": progress.best_epoch,
        "epochs_done": progress.epoch,
        "validation_loss": progress.best_loss,
        "errors": {},
    }
    parts = {"training": job.training, "validation": job.validation, "test": job.test}
    comparisons = {name: compare(job.model, part) for name, part in parts.items() if len(part)}
    distance = guard_model(
        job.model,
        training=job.training,
        validation=job.validation,
        errors=comparisons["validation"],
    )
    if distance is not None:
        save_distance(distance, folder, sha256=digest)
    for name, comparison in comparisons.items():
        metrics["errors"][name] = error_table(comparison)
        if name == "test" or (name == "validation" and "test" not in comparisons):
            labels = job.model.information.states.labels
            title = f"{job.config.name}: {name} frames"
            write_parity_png(comparison, folder / "parity.png", labels=labels, title=title)
    groups = {name: sorted(set(part["group"].tolist())) for name, part in parts.items()}
    metrics["groups"] = {name: groups[name] for name in ("validation", "test")}
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    write_text(folder / "README.md", model_card(metrics, config=job.config))
    return metrics

"""Learn the distance from the training frames for a model that was trained without it."""

from pathlib import Path

import numpy as np

from namd.config.loading import load_config
from namd.config.training import TrainingConfig
from namd.errors import ConfigError, DataError
from namd.io.model_header import read_model_header
from namd.nn.distance import FILE, FeatureDistance, save_distance
from namd.nn.model_folder import load_model
from namd.train.evaluation import compare
from namd.train.guarding import guard_model
from namd.train.pipeline import CONFIG_FILE, prepare


def guard_folder(folder: Path, *, overwrite: bool = False) -> FeatureDistance:
    """Write ``distance.safetensors`` into a model folder.

    Parameters
    ----------
    folder
        A model with the configuration it was trained by and, where that says, its data.
    overwrite
        Replace such a file.

    Raises
    ------
    ConfigError
        If there is one already, or its configuration.
    DataError
        If the data are not there, of another molecule, or tell nothing of this model's errors.
    """
    if (folder / FILE).exists() and not overwrite:
        raise ConfigError(
            "this model knows the distance from its training frames already",
            where=str(folder / FILE),
            hint="--force replaces it",
        )
    job = prepare(load_config(folder / CONFIG_FILE, TrainingConfig), base=folder)
    model = load_model(folder)
    learned, there = model.information.molecule, job.training.molecule
    if not np.array_equal(learned.atomic_numbers, there.atomic_numbers):
        raise DataError(
            f"the data are of {there.formula}, the model of {learned.formula}, or in another order",
            where=str(folder / CONFIG_FILE),
            hint="data.file must name the data the model was trained on",
        )
    distance = guard_model(
        model,
        training=job.training,
        validation=job.validation,
        errors=compare(model, job.validation),
    )
    if distance is None:
        raise DataError(
            "the validation frames do not tell how errors grow with the distance",
            where=str(folder),
            hint="a network without features, or too few frames: train a committee instead",
        )
    save_distance(distance, folder, sha256=str(read_model_header(folder)["sha256"]))
    return distance

"""Begin a training from the weights of an earlier model."""

from pathlib import Path

import numpy as np

from namd.errors import ConfigError
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model

_MUST_AGREE = ("architecture", "head", "diabats", "states")


def take_weights(model: DiabaticModel, folder: Path) -> None:
    """Copy weights, scale, shift and input normalisation of the model in ``folder``.

    Normalisation and weights belong together, so none of them is fitted to the new frames.

    Parameters
    ----------
    model
        What is going to be trained; changed in place, on its own device and in its own precision.
    folder
        A model folder of the same molecule, states, network and head.

    Raises
    ------
    ModelError
        If the folder cannot be read.
    ConfigError
        If it holds another network, head or molecule.
    """
    earlier = load_model(folder)
    here, there = model.information, earlier.information
    differing = [name for name in _MUST_AGREE if getattr(here, name) != getattr(there, name)]
    if not np.array_equal(here.molecule.atomic_numbers, there.molecule.atomic_numbers):
        differing.append("atomic numbers")
    if differing:
        raise ConfigError(
            f"that model differs from the one to be trained in {', '.join(differing)}",
            where=f"initial_weights: {folder}",
            hint="take network, head and diabats from its train.yaml, or leave initial_weights out",
        )
    model.load_state_dict(earlier.state_dict())

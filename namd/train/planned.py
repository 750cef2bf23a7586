"""The network that a name stands for: a trained model, or a training configuration."""

from dataclasses import replace
from pathlib import Path

from namd.config.loading import load_config
from namd.config.training import TrainingConfig
from namd.io.committee_file import is_committee, read_committee
from namd.io.library import find_network
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import read_header
from namd.nn.summary import NetworkSummary, summarise
from namd.potentials.trained import member_folders
from namd.train.frames import read_header_frames
from namd.train.pipeline import model_information


def planned_model(name: str) -> tuple[ModelInformation, Path]:
    """What a model is or would be, and the model folder or configuration file that says so.

    Parameters
    ----------
    name
        A model folder (of a committee: its first member tells), a name of the zoo, or a training
        configuration (``.yaml``, or its name in the zoo, as ``mace-64``), whose data are read for
        the molecule and its states.

    Raises
    ------
    ModelError
        If there is no such model, or its header is damaged.
    ConfigError
        If the configuration is wrong.
    DataError
        If its data cannot be read.
    """
    path = find_network(name)
    if path.is_dir():
        if not is_committee(path):
            return read_header(path)[1], path
        information = read_header(member_folders(path)[0])[1]
        return replace(information, name=read_committee(path).name), path
    config = load_config(path, TrainingConfig)
    dataset = read_header_frames(config, base=path.parent)
    return model_information(config, dataset), path


def summary_of(information: ModelInformation) -> NetworkSummary:
    """Count the network of a model; none of its weights is read."""
    return summarise(DiabaticModel(information).network, atoms=len(information.molecule))

"""The labelled frames a training asks for: read, checked, joined."""

from pathlib import Path

from namd.config.training import TrainingConfig
from namd.data.checks import check_dataset
from namd.data.combining import concatenate
from namd.data.dataset import Dataset
from namd.data.reading import read_dataset
from namd.io.library import find_file


def read_frames(config: TrainingConfig, *, base: Path) -> Dataset:
    """Read all files of a training, in their order.

    Parameters
    ----------
    config
        Validated configuration.
    base
        Folder that relative paths are tried against first.

    Raises
    ------
    DataError
        If the data cannot be used, file and frame are named; or if they do not belong together.
    """
    datasets = []
    for name in config.data.files:
        path = find_file(name, base=base)
        dataset = wanted_states(read_dataset(path), config)
        check_dataset(
            dataset,
            path=path,
            require_coupling=len(dataset.states) > 1,
            require_forces=config.loss.derivatives == "sampled",
        )
        datasets.append(dataset)
    return concatenate(datasets)


def read_header_frames(config: TrainingConfig, *, base: Path) -> Dataset:
    """Read the first file alone, unchecked: molecule, states and level are those of all."""
    return wanted_states(read_dataset(find_file(config.data.files[0], base=base)), config)


def wanted_states(dataset: Dataset, config: TrainingConfig) -> Dataset:
    """The labels of the states that the configuration asks for."""
    number = config.data.states
    return dataset if number is None else dataset.lowest_states(number)

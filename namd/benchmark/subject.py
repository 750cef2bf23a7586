"""The network that is timed: a trained model, or a training configuration with fresh weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from namd.config.loading import load_config
from namd.config.training import TrainingConfig
from namd.errors import ConfigError, NamdError
from namd.io.library import find_network
from namd.nn.model import DiabaticModel
from namd.nn.model_folder import load_model, read_header
from namd.potentials.network import NetworkPotential, network_potential
from namd.train import pipeline

_TRAINING = "train.yaml"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network and where it comes from.

    Parameters
    ----------
    model
        On the device.
    potential
        What ``namd run`` would use; it shares the model's weights.
    source
        Model folder or configuration file.
    training
        Its training configuration; None if a model came without one that can be read.
    why_no_training
        What is wrong with it.
    """

    model: DiabaticModel
    potential: NetworkPotential
    source: Path
    training: TrainingConfig | None
    why_no_training: str | None = None

    @property
    def trained(self) -> bool:
        """Whether it is a model, not a configuration."""
        return self.source.is_dir()

    @property
    def base(self) -> Path:
        """Folder that file names of its configuration are relative to."""
        return self.source if self.trained else self.source.parent


def find_subject(name: str, *, overrides: Sequence[str] = (), device: str = "cpu") -> Subject:
    """The network a name stands for.

    Parameters
    ----------
    name
        A model folder, a name of the zoo, or a training configuration (``.yaml``, or its name in
        the zoo, as ``mace-64``), whose network gets fresh weights.
    overrides
        ``key=value`` strings for a configuration.
    device
        As given by :func:`namd.nn.device.choose_device`.

    Raises
    ------
    ModelError
        If there is no such model.
    ConfigError
        If the configuration is wrong, or a trained model shall be changed.
    DataError
        If the data of a configuration cannot be read.
    """
    path = find_network(name)
    kind = f"device={device.partition(':')[0]}"
    if not path.is_dir():
        config = load_config(path, TrainingConfig, [*overrides, kind])
        model = pipeline.prepare(config, base=path.parent).model
        potential = network_potential(model, device=device)
        return Subject(model=model, potential=potential, source=path, training=config)
    if overrides:
        raise ConfigError(
            f"{name} is a trained model, which is as it is",
            where=f"--set {overrides[0]}",
            hint=f"give its configuration, {path / _TRAINING}, for fresh weights",
        )
    model = load_model(path)
    potential = network_potential(model, device=device, digest=str(read_header(path)[0]["sha256"]))
    training, why = None, None
    try:
        training = load_config(path / _TRAINING, TrainingConfig, [kind])
    except NamdError as error:
        why = f"{error.where}: {error.message}"
    return Subject(
        model=model, potential=potential, source=path, training=training, why_no_training=why
    )

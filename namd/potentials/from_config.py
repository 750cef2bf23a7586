"""From the ``potential`` section of a run to an electronic structure."""

from pathlib import Path

import torch

from namd.config.run import PotentialConfig
from namd.errors import ConfigError
from namd.io.library import find_model
from namd.potentials.protocol import Potential
from namd.potentials.tully import tully

TULLY_NUMBERS = {"sac": 1, "dac": 2, "ecr": 3}


def make_potential(config: PotentialConfig, *, base: Path, device: str) -> Potential:
    """Load the model, or make Tully's.

    Parameters
    ----------
    config
        Which one.
    base
        Folder that the path of a model is relative to.
    device
        As given by :func:`choose_device`.

    Raises
    ------
    ModelError
        If the model cannot be found or used.
    """
    if config.tully is not None:
        return tully(TULLY_NUMBERS[config.tully])
    from namd.potentials.network import load_network_potential  # noqa: PLC0415  (e3nn: seconds)

    return load_network_potential(find_model(config.model or "", base=base), device=device)


def choose_device(name: str) -> str:
    """Turn ``auto`` into a GPU if there is one, and refuse a device that is not there.

    Raises
    ------
    ConfigError
        If PyTorch does not know the name or cannot use the device.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=torch.device(name))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        # PyTorch lists all the kinds of device there are in the world.
        unknown = "Expected one of" in reason or "Invalid device string" in reason
        raise ConfigError(
            "there is no such device" if unknown else f"this device cannot be used: {reason}",
            where=f"device = {name}",
            hint="give auto, cpu, or a GPU that this computer and this PyTorch have",
        ) from None
    return name

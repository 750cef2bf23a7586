"""Where networks and trajectories live: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""

import torch

from namd.errors import ConfigError


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

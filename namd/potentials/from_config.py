"""From the ``potential`` section of a run to an electronic structure."""

from pathlib import Path

from namd.config.run import PotentialConfig
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
        As given by :func:`namd.nn.device.choose_device`.

    Raises
    ------
    ModelError
        If the model cannot be found or used.
    """
    if config.tully is not None:
        return tully(TULLY_NUMBERS[config.tully])
    from namd.potentials.network import load_network_potential  # noqa: PLC0415  (e3nn: seconds)

    return load_network_potential(find_model(config.model or "", base=base), device=device)

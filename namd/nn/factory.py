"""From a configuration to a network; the one place that knows all kinds."""

from jaxtyping import Int
from torch import Tensor, nn

from namd.config.architecture import (
    Architecture,
    CormorantArchitecture,
    FusionArchitecture,
    MaceArchitecture,
)
from namd.nn.base import DiabaticNetwork
from namd.nn.network import FusionNetwork
from namd.nn.perceptron import PerceptronNetwork
from namd.nn.published.cormorant import CormorantNetwork
from namd.nn.published.mace import MaceNetwork


def build_network(
    architecture: Architecture, *, atomic_numbers: Int[Tensor, " atom"], diabats: int
) -> DiabaticNetwork:
    """A freshly initialised network; its weights come from torch's global random state."""
    if isinstance(architecture, FusionArchitecture):
        return FusionNetwork(
            architecture=architecture, atomic_numbers=atomic_numbers, diabats=diabats
        )
    if isinstance(architecture, MaceArchitecture):
        return MaceNetwork(
            architecture=architecture, atomic_numbers=atomic_numbers, diabats=diabats
        )
    if isinstance(architecture, CormorantArchitecture):
        return CormorantNetwork(
            architecture=architecture, atomic_numbers=atomic_numbers, diabats=diabats
        )
    return PerceptronNetwork(architecture=architecture, atoms=len(atomic_numbers), diabats=diabats)


def parameter_count(network: nn.Module) -> int:
    """Number of learned numbers."""
    return sum(p.numel() for p in network.parameters())

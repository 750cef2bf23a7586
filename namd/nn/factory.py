"""From a configuration to a network; the one place that knows all kinds."""

from jaxtyping import Int
from torch import Tensor, nn

from namd.config.architecture import (
    Architecture,
    CormorantArchitecture,
    FusionArchitecture,
    MaceArchitecture,
)
from namd.config.head import Head
from namd.errors import ConfigError
from namd.nn.base import DiabaticNetwork
from namd.nn.network import FusionNetwork
from namd.nn.perceptron import PerceptronNetwork
from namd.nn.published.cormorant import CormorantNetwork
from namd.nn.published.mace import MaceNetwork


def build_network(
    architecture: Architecture,
    *,
    atomic_numbers: Int[Tensor, " atom"],
    diabats: int,
    head: Head | None = None,
) -> DiabaticNetwork:
    """A freshly initialised network; its weights come from torch's global random state.

    Raises
    ------
    ConfigError
        If the head needs vectors at the atoms and the network has none.
    """
    if head is not None:
        _require_vectors(architecture, head)
    if isinstance(architecture, FusionArchitecture):
        return FusionNetwork(
            architecture=architecture, atomic_numbers=atomic_numbers, diabats=diabats, head=head
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


def _require_vectors(architecture: Architecture, head: Head) -> None:
    if not head.needs_vectors:
        return
    if not isinstance(architecture, FusionArchitecture):
        raise ConfigError(
            f"a network of kind {architecture.kind} has no vectors at its atoms for this head",
            where="head",
            hint="use network.kind fusion, or the quasi-diabatic head without residual, "
            "odd_diabats and dipoles",
        )
    if architecture.message_l < 1:
        raise ConfigError(
            "this head needs vectors at the atoms, the network passes on scalars only",
            where="network.message_l = 0",
            hint="set it to 1 at least",
        )

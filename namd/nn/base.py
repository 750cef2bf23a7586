"""What training, the potential and the command line ask of any network."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from namd.nn.fusion.diagram import FusionDiagram


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a part of a network is, for those who read about it.

    Parameters
    ----------
    module
        Its name in the network, ``density`` or ``layers.0``.
    irreps
        Channels and irreps of its result, ``32x0e+32x1o``; empty if that says nothing.
    diagrams
        Fusion diagrams of its products.
    """

    module: str
    irreps: str = ""
    diagrams: tuple[FusionDiagram, ...] = ()


class DiabaticNetwork(nn.Module, ABC):
    """A network that predicts a dimensionless quasi-diabatic matrix."""

    @abstractmethod
    def calibrate(self, positions: Float[Tensor, "molecule atom 3"]) -> None:
        """Fix the input normalisation on a sample of geometries (Bohr); once, before training."""

    @abstractmethod
    def forward(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in units of the model's scale, without its shift, at ``positions`` in Bohr."""

    def describe(self) -> tuple[Layer, ...]:
        """The parts of the network, in the order of evaluation.

        A network of irreps says here what they are and draws its products; any other has its
        modules listed by name.
        """
        return tuple(Layer(module=name) for name, _ in self.named_children())

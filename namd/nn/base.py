"""What training and the potential ask of any network."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


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

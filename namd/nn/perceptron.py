"""The control network: a multilayer perceptron on all inverse interatomic distances.

The simplest thing that works for one fixed molecule: invariant under rotation, translation and
inversion, but not under permutation of equal atoms. It shows what the equivariant network is worth.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from namd.config.architecture import PerceptronArchitecture
from namd.nn.base import DiabaticNetwork, Prediction


class _Body(nn.Sequential):
    """Layers in a row."""

    def forward(
        self, values: Float[Tensor, "molecule input"]
    ) -> tuple[Float[Tensor, "molecule output"], Float[Tensor, "molecule hidden"]]:
        """What the last layer makes, and what it read."""
        *layers, last = self
        for layer in layers:
            values = layer(values)
        return last(values), values


class PerceptronNetwork(DiabaticNetwork):
    """W from the N(N−1)/2 inverse distances, standardised on a sample of geometries."""

    first: Tensor
    second: Tensor
    mean: Tensor
    spread: Tensor
    upper_row: Tensor
    upper_column: Tensor

    def __init__(self, *, architecture: PerceptronArchitecture, atoms: int, diabats: int) -> None:
        super().__init__()
        first, second = torch.triu_indices(atoms, atoms, offset=1)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        row, column = torch.triu_indices(diabats, diabats)
        self.register_buffer("upper_row", row, persistent=False)
        self.register_buffer("upper_column", column, persistent=False)
        self.register_buffer("mean", torch.zeros(len(first)))
        self.register_buffer("spread", torch.ones(len(first)))
        self.diabats = diabats
        widths = [len(first)] + [architecture.hidden] * architecture.layers
        layers: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layers += [nn.Linear(inner, outer), nn.SiLU()]
        self.body = _Body(*layers, nn.Linear(widths[-1], len(row)))

    def inverse_distances(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule pair"]:
        """1/r_ij of all i < j, 1/Bohr."""
        vectors = positions[:, self.first] - positions[:, self.second]
        return vectors.square().sum(-1).rsqrt()

    @torch.no_grad()
    def calibrate(self, positions: Float[Tensor, "molecule atom 3"]) -> None:
        """Standardise the inputs on a sample of geometries; once, before training."""
        inverse = self.inverse_distances(positions)
        self.mean.copy_(inverse.mean(0))
        self.spread.copy_(inverse.std(0).clamp_min(1e-4))

    def forward(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule diabat diabat"]:
        """W in units of the model's scale, without its shift."""
        return self.evaluate(positions).matrix

    def evaluate(
        self,
        positions: Float[Tensor, "molecule atom 3"],
        *,
        dipoles: bool = False,  # noqa: ARG002  (it has none)
    ) -> Prediction:
        """W, and the last hidden layer."""
        upper, hidden = self._layers(positions)
        matrix = upper.new_zeros(len(upper), self.diabats, self.diabats)
        matrix[:, self.upper_row, self.upper_column] = upper
        return Prediction(matrix=matrix + matrix.triu(1).mT, features=hidden)

    def node_scalars(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> Float[Tensor, "molecule 1 feature"]:
        """Activations of the last hidden layer: of the molecule, there are no atoms."""
        return self._layers(positions)[1][:, None]

    def _layers(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> tuple[Float[Tensor, "molecule output"], Float[Tensor, "molecule hidden"]]:
        """The last layer and the one before it."""
        standardised = (self.inverse_distances(positions) - self.mean) / self.spread
        found: tuple[Tensor, Tensor] = self.body(standardised)
        return found

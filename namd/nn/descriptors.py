"""What a model itself tells geometries apart by: one vector per molecule from its node features.

The invariants that the readout sees at every atom are pooled over the atoms of each element, their
mean and their standard deviation. So the vector does not change with the numbering of equal atoms,
as it does not with rotation or translation. Geometries that are near in it look alike to the
model, however they differ otherwise.

Components have scales of their own; :class:`Standard` divides them by their spread over frames one
knows. Distances are root mean squares over the components: two frames drawn from those are √2
apart, a frame and its neighbour on a trajectory a few hundredths.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from namd.nn.model import DiabaticModel
from namd.nn.parallel import side_by_side

_SLICE = 32
_CONSTANT = 1e-6
"""Relative spread below which a component tells nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Standard:
    """Scales that descriptors are measured with.

    Parameters
    ----------
    mean, spread
        Mean and standard deviation of every component over the frames it was made from; the
        spread is infinite for one that does not vary.
    """

    mean: Float[np.ndarray, " component"]
    spread: Float[np.ndarray, " component"]

    @classmethod
    def of(cls, descriptors: Float[np.ndarray, "frame component"]) -> "Standard":
        """Scales of some frames."""
        mean, spread = descriptors.mean(axis=0), descriptors.std(axis=0)
        varies = spread > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT)
        return cls(mean=mean, spread=np.where(varies, spread, np.inf))

    def __call__(
        self, descriptors: Float[np.ndarray, "frame component"]
    ) -> Float[np.ndarray, "frame component"]:
        """Descriptors whose Euclidean distance is the root mean square over varying components."""
        components = max(1, int(np.isfinite(self.spread).sum()))
        scaled: np.ndarray = (descriptors - self.mean) / (self.spread * components**0.5)
        return scaled


def descriptors(
    model: DiabaticModel, positions: Float[np.ndarray, "frame atom 3"]
) -> Float[np.ndarray, "frame component"]:
    """Pooled node features of geometries.

    Parameters
    ----------
    model
        A trained model; its molecule is that of the frames.
    positions
        Bohr.

    Returns
    -------
    numpy.ndarray
        float64, in the model's own scales.
    """
    elements = torch.from_numpy(model.information.molecule.atomic_numbers).to(model.shift.device)

    @torch.no_grad()
    def pooled(start: int) -> np.ndarray:
        chosen = torch.from_numpy(positions[start : start + _SLICE]).to(model.shift.device)
        centred = chosen - chosen.mean(dim=1, keepdim=True)
        nodes = model.network.node_scalars(centred.to(model.dtype)).double()
        return pool(nodes, elements).cpu().numpy()

    parts = side_by_side(pooled, range(0, len(positions), _SLICE))
    return np.concatenate(parts)


def pool(
    nodes: Float[Tensor, "molecule node feature"], elements: Int[Tensor, " atom"]
) -> Float[Tensor, "molecule component"]:
    """Mean and standard deviation over the nodes of each element; a single node is itself."""
    if nodes.shape[1] != len(elements):
        return nodes.flatten(1)
    kinds = [nodes[:, elements == element] for element in torch.unique(elements)]
    means = [kind.mean(1) for kind in kinds]
    spreads = [kind.std(1, correction=0) for kind in kinds]
    return torch.cat([*means, *spreads], dim=1)

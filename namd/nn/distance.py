r"""How far a geometry lies from what a model has learned, in the space its last layer reads.

The last layer of W is linear in features φ(R). A Gaussian posterior of its weights given the
training frames has, at a new geometry, a variance proportional to

.. math::

    d^2 = \frac1D\, \varphi^\mathsf T
          \Big(\frac1N \Phi^\mathsf T\Phi + \lambda \bar c\, 1\Big)^{-1} \varphi

with Φ the features of the N training frames, D their number and :math:`\bar c` the mean of the
diagonal of ΦᵀΦ/N. Over the training frames the mean of d² is just below one. The ridge λ and the
factors that make errors of d are chosen on validation frames (:mod:`namd.train.guarding`).

It costs one small product per geometry beside a forward pass that is made anyway.

Reference: F. Bigi, S. Chong, M. Ceriotti, F. Grasselli, Mach. Learn.: Sci. Technol. 5, 045018
(2024), doi:10.1088/2632-2153/ad805f.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from namd.errors import ModelError
from namd.io.atomic import write_bytes
from namd.nn.readout import times

FILE = "distance.safetensors"
_FORMAT = "namd-distance"
_FORMAT_VERSION = "1"


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureDistance:
    """What is known of the features of the training frames.

    Parameters
    ----------
    root
        K with d = |K φ|: KᵀK is the inverse above, over D.
    ridge
        λ.
    scales
        Quantity → expected error per d, Hartree or Hartree/Bohr (energy, gap, force, coupling).
    """

    root: Float64[Tensor, "learned learned"]
    ridge: float
    scales: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, features: Float[Tensor, "row learned"]) -> Float64[Tensor, " row"]:
        """Compute d of every geometry."""
        return times(features.double(), self.root).square().sum(1).sqrt()

    def to(self, device: torch.device | str) -> "FeatureDistance":
        """The same on a device."""
        return replace(self, root=self.root.to(device))


def fit_distance(features: Float[Tensor, "frame learned"], *, ridge: float) -> FeatureDistance:
    """Learn the distance from the features of the training frames.

    Parameters
    ----------
    features
        Φ.
    ridge
        λ, relative to the mean square of a feature.
    """
    phi = features.double()
    squares, axes = torch.linalg.eigh(phi.T @ phi / len(phi))
    squares = squares.clamp_min(0.0)
    damped = squares + ridge * squares.mean().clamp_min(torch.finfo(torch.float64).tiny)
    return FeatureDistance(root=axes / (len(damped) * damped).sqrt(), ridge=ridge)


def save_distance(distance: FeatureDistance, folder: Path, *, sha256: str) -> None:
    """Write ``distance.safetensors`` into a model folder, atomically.

    Parameters
    ----------
    distance
        What to write.
    folder
        The model folder.
    sha256
        Digest of the weights it belongs to.

    Raises
    ------
    OSError
        If the disk is full.
    """
    told = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "sha256": sha256,
        "ridge": repr(distance.ridge),
        "scales": json.dumps(dict(distance.scales), allow_nan=False),
    }
    tensors = {"root": distance.root.cpu().contiguous()}
    write_bytes(folder / FILE, safetensors.torch.save(tensors, metadata=told))


def load_distance(folder: Path, *, sha256: str) -> FeatureDistance | None:
    """Read ``distance.safetensors``; None where a model has none.

    Raises
    ------
    ModelError
        If it is damaged, or belongs to other weights.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            root = file.get_tensor("root")
        if (told["format"], told["format_version"]) != (_FORMAT, _FORMAT_VERSION):
            raise _damaged(path, f"{told['format']} version {told['format_version']}")
        ridge, scales = float(told["ridge"]), json.loads(told["scales"])
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise _damaged(path, str(error)) from None
    if told["sha256"] != sha256:
        raise ModelError(
            "the record of its training features belongs to other weights",
            where=str(path),
            hint="copy the model folder again, or remove this file: the model then says nothing "
            "of its errors",
        )
    return FeatureDistance(root=root, ridge=ridge, scales=scales)


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError(
        f"the record of its training features cannot be read: {why}",
        where=str(path),
        hint="copy the model folder again",
    )

"""Labels of a dataset as tensors on the device of a training."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from namd.data.dataset import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Training labels on the device, atomic units, float64."""

    positions: Float[Tensor, "frame atom 3"]
    energies: Float[Tensor, "frame state"]
    forces: Float[Tensor, "frame state atom 3"]
    coupling: Float[Tensor, "frame pair atom 3"]

    @classmethod
    def of(cls, dataset: Dataset, device: torch.device) -> "Labels":
        """Copy what the loss needs of a dataset to ``device``."""
        if len(dataset.states) > 1:
            coupling = dataset.interstate_coupling
        else:
            coupling = np.zeros((len(dataset), 0, len(dataset.molecule), 3))
        columns = (dataset["positions"], dataset["energies"], dataset["forces"], coupling)
        tensors = [torch.from_numpy(np.ascontiguousarray(c)).to(device) for c in columns]
        return cls(**dict(zip(cls.__dataclass_fields__, tensors, strict=True)))

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Tensor, numbering: Tensor | None = None) -> "Labels":
        """Some frames, each in its own ``numbering`` [row, atom] of the atoms if given."""
        taken = Labels(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})
        if numbering is None:
            return taken
        atoms = numbering[:, :, None].expand(-1, -1, 3)

        def renumbered(field: Tensor) -> Tensor:
            return field.gather(2, atoms[:, None].expand(-1, field.shape[1], -1, -1))

        return Labels(
            positions=taken.positions.gather(1, atoms),
            energies=taken.energies,
            forces=renumbered(taken.forces),
            coupling=renumbered(taken.coupling),
        )

"""Labels of a dataset as tensors on the device of a training."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from namd.data.dataset import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Training labels on the device, atomic units, float64.

    Diabatic matrices and dipoles are None where the dataset has none at all; those of single frames
    that are unknown are NaN.
    """

    positions: Float[Tensor, "frame atom 3"]
    energies: Float[Tensor, "frame state"]
    forces: Float[Tensor, "frame state atom 3"]
    coupling: Float[Tensor, "frame pair atom 3"]
    diabatic: Float[Tensor, "frame diabat diabat"] | None = None
    dipoles: Float[Tensor, "frame pair 3"] | None = None

    @classmethod
    def of(cls, dataset: Dataset, device: torch.device) -> "Labels":
        """Copy what the loss needs of a dataset to ``device``."""
        if len(dataset.states) > 1:
            coupling = dataset.interstate_coupling
        else:
            coupling = np.zeros((len(dataset), 0, len(dataset.molecule), 3))

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device)

        def optional(name: str) -> Tensor | None:
            values = dataset.get(name)
            return None if values is None else tensor(values)

        return cls(
            positions=tensor(dataset["positions"]),
            energies=tensor(dataset["energies"]),
            forces=tensor(dataset["forces"]),
            coupling=tensor(coupling),
            diabatic=optional("diabatic_hamiltonian"),
            dipoles=optional("transition_dipoles"),
        )

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Tensor, numbering: Tensor | None = None) -> "Labels":
        """Some frames, each in its own ``numbering`` [row, atom] of the atoms if given."""
        taken = Labels(
            positions=self.positions[rows],
            energies=self.energies[rows],
            forces=self.forces[rows],
            coupling=self.coupling[rows],
            diabatic=None if self.diabatic is None else self.diabatic[rows],
            dipoles=None if self.dipoles is None else self.dipoles[rows],
        )
        if numbering is None:
            return taken
        atoms = numbering[:, :, None].expand(-1, -1, 3)

        def renumbered(field: Tensor) -> Tensor:
            return field.gather(2, atoms[:, None].expand(-1, field.shape[1], -1, -1))

        return replace(
            taken,
            positions=taken.positions.gather(1, atoms),
            forces=renumbered(taken.forces),
            coupling=renumbered(taken.coupling),
        )

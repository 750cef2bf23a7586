"""Stop a trajectory whose molecule falls apart or collapses.

Bonds are those of a reference geometry; new contacts (a ring that closes) are allowed as long as
no two atoms come closer than anything the potential can know.
"""

from dataclasses import dataclass

import numpy as np
import torch
from ase.data import covalent_radii
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.status import Reason
from namd.errors import ConfigError, DataError
from namd.molecule import Molecule
from namd.units import ANGSTROM_PER_BOHR

BOND_TOLERANCE = 1.3
"""Two atoms are bonded if closer than this times the sum of their covalent radii."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BrokenMolecule:
    """Trips where a bond is stretched too far or two atoms are too close.

    Parameters
    ----------
    bonds
        Atom numbers of each bond of the reference geometry.
    longest
        Largest allowed length of each bond, Bohr.
    closest
        Smallest allowed distance of any two atoms, Bohr.
    """

    bonds: Int64[Tensor, "bond 2"]
    longest: Float64[Tensor, " bond"]
    closest: float

    @classmethod
    def from_geometry(
        cls,
        molecule: Molecule,
        positions: Float[np.ndarray, "atom 3"],
        *,
        stretch: float = 2.0,
        closest: float = 1.0,
        device: torch.device | str = "cpu",
    ) -> "BrokenMolecule":
        """Guard of the bonds found in one geometry.

        Parameters
        ----------
        molecule
            Elements, whose covalent radii decide what is a bond.
        positions
            Reference geometry, Bohr.
        stretch
            Factor by which a bond may grow.
        closest
            Smallest allowed distance of any two atoms, Bohr.
        device
            Where the batch lives.

        Raises
        ------
        ConfigError
            If ``stretch`` is not above one.
        DataError
            If two atoms of the reference geometry are closer than allowed.
        """
        if not stretch > 1:
            raise ConfigError("a bond must be allowed to grow", where=f"bond stretch = {stretch}")
        first, second = np.triu_indices(len(molecule), k=1)
        length = np.linalg.norm(positions[first] - positions[second], axis=-1)
        if (length < closest).any():
            k = int(np.argmin(length))
            raise DataError(
                f"atoms {first[k]} and {second[k]} are {length[k]:.3f} Bohr apart, "
                f"closer than {closest} Bohr",
                where="reference geometry",
                hint="is it in Bohr, and is it this molecule?",
            )
        radii = covalent_radii[molecule.atomic_numbers] / ANGSTROM_PER_BOHR
        bonded = length < BOND_TOLERANCE * (radii[first] + radii[second])
        pairs = np.stack((first, second), axis=-1)[bonded]
        return cls(
            bonds=torch.as_tensor(pairs, dtype=torch.int64, device=device),
            longest=torch.as_tensor(stretch * length[bonded], dtype=torch.float64, device=device),
            closest=closest,
        )

    @property
    def reason(self) -> Reason:
        """``BROKEN_MOLECULE``."""
        return Reason.BROKEN_MOLECULE

    def trips(
        self,
        before: TrajectoryBatch,  # noqa: ARG002  (protocol)
        after: TrajectoryBatch,
        *,
        masses: Float64[Tensor, " atom"],  # noqa: ARG002
    ) -> Bool[Tensor, " traj"]:
        """Rows with a bond longer, or a pair of atoms closer, than allowed."""
        positions = after.positions
        vectors = positions[:, self.bonds[:, 0]] - positions[:, self.bonds[:, 1]]
        stretched = (vectors.square().sum(-1) > self.longest.square()).any(1)
        squares = (positions[:, :, None] - positions[:, None]).square().sum(-1)
        own = torch.eye(positions.shape[1], dtype=torch.bool, device=positions.device)
        collapsed = ((squares < self.closest**2) & ~own).any(2).any(1)
        return stretched | collapsed

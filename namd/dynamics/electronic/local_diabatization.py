r"""Local diabatisation: propagate in the basis of t, then turn into the basis of t + dt.

.. math::

    \mathcal R = S^T \prod_{k=1}^{n} \exp\{-i[H(t) + \tfrac kn (H_{tra} - H(t))]\, dt/n\},
    \qquad H_{tra} = S H(t+dt) S^T

with S orthonormalised (Löwdin) and later factors to the left. For a diabatic model this is the
interpolated diabatic Hamiltonian seen from the adiabatic basis. No derivative coupling appears, so
a trivial crossing is passed with probability one, and the signs of the eigenvectors, carried by S,
need no tracking.

References
----------
G. Granucci, M. Persico, A. Toniolo, J. Chem. Phys. 114 (2001) 10608, DOI 10.1063/1.1376633;
F. Plasser et al., J. Chem. Phys. 137 (2012) 22A514, DOI 10.1063/1.4738960.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Complex128, Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.electronic.orthogonal import nearest_orthogonal
from namd.dynamics.electronic.protocol import ElectronicStep
from namd.dynamics.electronic.unitary import exponential_product, with_phase
from namd.errors import ConfigError
from namd.potentials.protocol import Needs


@dataclass(frozen=True)
class LocalDiabatization:
    """Local diabatisation with a linearly interpolated Hamiltonian.

    Parameters
    ----------
    substeps
        n, factors of the product per nuclear step.
    """

    substeps: int = 25
    needs: ClassVar[Needs] = Needs.BASIS

    def __post_init__(self) -> None:
        if self.substeps < 1:
            raise ConfigError(
                "local diabatisation needs at least one substep",
                where=f"substeps = {self.substeps}",
            )

    def propagate(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> ElectronicStep:
        """𝓡 from the overlap of the eigenvectors of two batches."""
        overlap = before.eigenvectors.mT @ after.eigenvectors
        return ElectronicStep(
            propagator=self.propagator(
                before.energies, after.energies, overlap=overlap, timestep=timestep
            )
        )

    def propagator(
        self,
        energies_before: Float64[Tensor, "traj state"],
        energies_after: Float64[Tensor, "traj state"],
        *,
        overlap: Float64[Tensor, "traj state state"],
        timestep: float,
    ) -> Complex128[Tensor, "traj state state"]:
        """𝓡 of the module docstring.

        The mean energy, which only turns the phase common to all states, is taken out of the
        product and put back exactly.

        Parameters
        ----------
        energies_before, energies_after
            Adiabatic energies at t and t + dt, Hartree.
        overlap
            S_ij = ⟨φ_i(t)|φ_j(t+dt)⟩, with whatever signs the eigenvectors have.
        timestep
            dt, atomic units.
        """
        mean_before, mean_after = energies_before.mean(-1), energies_after.mean(-1)
        before = torch.diag_embed(energies_before - mean_before[:, None])
        rotation = nearest_orthogonal(overlap)
        shifted = energies_after - mean_after[:, None]
        after = (rotation * shifted[:, None, :]) @ rotation.mT
        real, imaginary = exponential_product(
            before, after, substeps=self.substeps, timestep=timestep
        )
        real, imaginary = rotation.mT @ real, rotation.mT @ imaginary
        weight = (self.substeps + 1) / (2 * self.substeps)  # mean of k/n
        phase = (mean_before + weight * (mean_after - mean_before)) * timestep
        return with_phase(real, imaginary, phase)

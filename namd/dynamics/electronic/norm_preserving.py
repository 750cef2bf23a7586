r"""Norm-preserving interpolation: the coupling that carries one set of states into the other.

.. math::

    W_{ii}(\tau) = \cos(\tau \arccos S_{ii}), \quad
    W_{ij}(\tau) = \sin(\tau \arcsin S_{ij}), \qquad
    T = W^T \dot W / dt, \quad \tau \in [0, 1],

with S orthonormalised (Löwdin) and made a proper rotation; T is taken in the middle of every
substep. A spike of the coupling between two steps is integrated whole, so that a trivial crossing
is passed; unlike local diabatisation there is a T, from which hop rates can be made. For more than
two states W is not orthogonal between its ends and the antisymmetric part of T is used.

Reference: G. A. Meek, B. G. Levine, J. Phys. Chem. Lett. 5 (2014) 2351, DOI 10.1021/jz5009449.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.dynamics.electronic.coupled import check_substeps, propagate_coupled, substep_weights
from namd.dynamics.electronic.orthogonal import nearest_orthogonal
from namd.dynamics.electronic.protocol import ElectronicStep
from namd.potentials.protocol import Needs


@dataclass(frozen=True)
class NormPreserving:
    """Norm-preserving interpolation of the overlap.

    Parameters
    ----------
    substeps
        n, substeps per nuclear step.

    Raises
    ------
    ConfigError
        If there are no substeps.
    """

    substeps: int = 25
    needs: ClassVar[Needs] = Needs.BASIS

    def __post_init__(self) -> None:
        check_substeps(self.substeps)

    def propagate(
        self, before: TrajectoryBatch, after: TrajectoryBatch, *, timestep: float
    ) -> ElectronicStep:
        """𝓡 from the overlap of the eigenvectors of two batches."""
        rotation, signs = proper_rotation(before.eigenvectors.mT @ after.eigenvectors)
        made = propagate_coupled(
            before.energies,
            after.energies,
            couplings=interpolated_coupling(rotation, substeps=self.substeps) / timestep,
            timestep=timestep,
        )
        return ElectronicStep(propagator=made.propagator * signs[:, :, None], path=made.path)


def proper_rotation(
    overlap: Float64[Tensor, "traj state state"],
) -> tuple[Float64[Tensor, "traj state state"], Float64[Tensor, "traj state"]]:
    """Orthonormalise S and make its determinant +1.

    Two states that swap places have no sign of their own overlap, and may look like a reflection.
    The state with the smallest overlap with itself is then turned.

    Returns
    -------
    The rotation, and the sign of each state of t + dt in it.
    """
    orthogonal = nearest_orthogonal(overlap)
    reflection = torch.linalg.det(orthogonal) < 0
    weakest = orthogonal.diagonal(dim1=1, dim2=2).abs().argmin(1)
    turned = torch.nn.functional.one_hot(weakest, overlap.shape[-1]).to(overlap)
    signs = torch.where(reflection[:, None], 1.0 - 2.0 * turned, 1.0)
    return orthogonal * signs[:, None, :], signs


def interpolated_coupling(
    rotation: Float64[Tensor, "traj state state"], *, substeps: int
) -> Float64[Tensor, "traj substep state state"]:
    """WᵀẆ in the middle of every substep, per nuclear step."""
    eye = torch.eye(rotation.shape[-1], dtype=torch.bool, device=rotation.device)
    bounded = rotation.clamp(-1.0, 1.0)
    angle = torch.where(eye, bounded.acos(), bounded.asin())[:, None]
    tau = (substep_weights(substeps, like=rotation) - 0.5 / substeps)[:, None, None]
    sine, cosine = (tau * angle).sin(), (tau * angle).cos()
    w, slope = torch.where(eye, cosine, sine), angle * torch.where(eye, -sine, cosine)
    coupling = w.mT @ slope
    return 0.5 * (coupling - coupling.mT)

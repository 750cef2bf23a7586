r"""Momentum change along the coupling without its translation and rotation.

A momentum change along a D with :math:`\sum_A D_A \ne 0` or :math:`\sum_A R_A \times D_A \ne 0`
would set the molecule in motion or spin it. From the coupling h the part that moves the nuclei like
a rigid body is taken out,

.. math::

    D_A = h_A - M_A\,(V + \Omega \times R_A), \qquad
    V = \frac{\sum_A h_A}{\sum_A M_A}, \qquad
    \Omega = I^{-1} \sum_A R_A \times h_A,

with R from the centre of mass and I the tensor of inertia, so that a hop keeps the total momentum
and the angular momentum. Couplings of a network on internal coordinates are free of both already;
those of quantum-chemistry programs are not. A lone particle has nothing left: every hop is refused.

Reference: Y. Shu, L. Zhang, Z. Varga, K. A. Parker, S. Kanchanakungwankul, S. Sun, D. G. Truhlar,
J. Phys. Chem. Lett. 11 (2020) 1135, DOI 10.1021/acs.jpclett.9b03749.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from namd.dynamics.momentum.along_coupling import or_else
from namd.dynamics.momentum.protocol import MomentumRescaling
from namd.potentials.eigen import symmetric_eigen
from namd.potentials.protocol import Potential

_LINEAR = 1e-10
"""A moment of inertia below this fraction of the largest one belongs to the axis of a line."""


@dataclass(frozen=True)
class AlongProjectedCoupling(MomentumRescaling):
    """D = h_ab without translation and rotation of the whole molecule."""

    def direction(
        self,
        potential: Potential,
        positions: Float64[Tensor, "traj atom 3"],
        velocities: Float64[Tensor, "traj atom 3"],  # noqa: ARG002  (protocol)
        *,
        masses: Float64[Tensor, " atom"],
        first: Int64[Tensor, " traj"],
        second: Int64[Tensor, " traj"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """Projected coupling of the pair at ``positions``, Hartree/Bohr."""
        coupling = potential.coupling(positions, first, second)
        return without_rigid_motion(coupling, positions, masses=masses)

    def completed(
        self,
        direction: Float64[Tensor, "traj atom 3"],
        *,
        difference: Float64[Tensor, "traj atom 3"],
        positions: Float64[Tensor, "traj atom 3"],
        masses: Float64[Tensor, " atom"],
    ) -> Float64[Tensor, "traj atom 3"]:
        """The gradient difference, likewise projected, where the coupling is exactly zero."""
        return or_else(direction, without_rigid_motion(difference, positions, masses=masses))


def without_rigid_motion(
    vectors: Float64[Tensor, "traj atom 3"],
    positions: Float64[Tensor, "traj atom 3"],
    *,
    masses: Float64[Tensor, " atom"],
) -> Float64[Tensor, "traj atom 3"]:
    """Take out of a momentum-like vector what moves or turns the molecule as a whole.

    Parameters
    ----------
    vectors
        h of the module docstring, any unit.
    positions, masses
        R and M, atomic units.

    Returns
    -------
    D with ΣD = 0 and ΣR×D = 0, exact also for linear molecules.
    """
    weights = masses[:, None]
    total = masses.sum()
    arms = positions - (weights * positions).sum(1, keepdim=True) / total
    torque = torch.linalg.cross(arms, vectors).sum(1)
    moments, axes = symmetric_eigen(_inertia(arms, masses=masses))
    defined = moments > _LINEAR * moments[:, -1:]
    inverse = torch.where(defined, 1.0 / torch.where(defined, moments, 1.0), 0.0)
    spin = (axes * (inverse * (axes * torque[:, :, None]).sum(1))[:, None, :]).sum(2)
    drift = vectors.sum(1, keepdim=True) / total
    turn: Tensor = torch.linalg.cross(spin[:, None, :].expand_as(arms), arms)
    return vectors - weights * (drift + turn)


def _inertia(
    arms: Float64[Tensor, "traj atom 3"], *, masses: Float64[Tensor, " atom"]
) -> Float64[Tensor, "traj 3 3"]:
    """Tensor of inertia Σ M (r²1 − r rᵀ) about the centre of mass."""
    outer = (masses[:, None, None] * arms[..., :, None] * arms[..., None, :]).sum(1)
    square = outer.diagonal(dim1=1, dim2=2).sum(1)
    unit = torch.eye(3, dtype=arms.dtype, device=arms.device)
    return square[:, None, None] * unit - outer

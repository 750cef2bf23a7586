r"""Diabatic populations of trajectories that have an active state and amplitudes.

.. math::

    P_d = \sum_i U_{di}^2\, \delta_{ia} + \sum_{i<j} 2\, \mathrm{Re}(U_{di}\, c_i c_j^*\, U_{dj})
        = U_{da}^2 + |(Uc)_d|^2 - \sum_i U_{di}^2\, |c_i|^2

The diagonal of the density matrix comes from the active state, which carries the nuclei, and the
coherences from the amplitudes, which alone have any. The populations of one trajectory add up to
one, but each may be negative or above one: only their mean over an ensemble is a population.

Reference: B. R. Landry, M. J. Falk, J. E. Subotnik, J. Chem. Phys. 139 (2013) 211101,
DOI 10.1063/1.4837795.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch
from namd.potentials.diabatic import pick_state


def diabatic_populations(batch: TrajectoryBatch) -> Float64[Tensor, "traj diabat"]:
    """P_d of every trajectory; no diabats where the potential has no quasi-diabatic basis."""
    vectors, squared = batch.eigenvectors, batch.eigenvectors.square()
    active = pick_state(squared, batch.active_state)
    # Real and imaginary part apart: products of complex tensors are rounded differently in the
    # vectorised and in the scalar part of a loop, and would depend on a trajectory's place.
    parts = batch.amplitudes.real[:, None], batch.amplitudes.imag[:, None]
    whole = sum(((vectors * part).sum(2).square() for part in parts), torch.zeros_like(active))
    diagonal = sum(((squared * part.square()).sum(2) for part in parts), torch.zeros_like(active))
    return active + whole - diagonal

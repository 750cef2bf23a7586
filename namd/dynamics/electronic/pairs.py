r"""Pairs of states as two-state problems, and the sphere that is such a problem's state.

A method that follows each pair (a, b) of states on its own asks any propagation of amplitudes for
the 2 × 2 propagator of that pair: of its energies, its columns of the basis and its coupling alone.
The pair's amplitudes are, up to a phase, a point on the unit (Bloch) sphere,

.. math::

    S_x = 2\,\mathrm{Re}\,c_a^* c_b, \quad S_y = 2\,\mathrm{Im}\,c_a^* c_b, \quad
    S_z = |c_a|^2 - |c_b|^2,

which the propagator turns as a rigid body: :math:`\dot S = (0, 2T_{ab}, E_a - E_b) \times S` with
the time-derivative coupling :math:`T_{ab} = v\cdot d_{ab}`. Where one of the two states changes its
sign, so do :math:`S_x` and :math:`S_y`.
"""

from dataclasses import replace

import torch
from jaxtyping import Complex128, Float64, Int64
from torch import Tensor

from namd.dynamics.batch import TrajectoryBatch, select

_IDENTITY_FIRST = 1e-9
"""Added to the overlap of a state with itself, which decides where nothing else does."""


def pair_batch(batch: TrajectoryBatch, pairs: Int64[Tensor, "traj chosen 2"]) -> TrajectoryBatch:
    """Trajectories of two states each, one row for every chosen pair, remembering nothing.

    Parameters
    ----------
    batch
        Trajectories of any number of states.
    pairs
        Their first and their second state, which need not be in the order of energy. The coupling
        of a state with itself is no number that means anything.

    Returns
    -------
    A batch with the pairs of a trajectory in consecutive rows; energies, basis, couplings and
    forces are those of the two states. The active state is the first.
    """
    count = pairs.shape[1]
    index = torch.arange(len(batch), device=pairs.device).repeat_interleave(count)
    rows = select(replace(batch, memory={}), index)
    states, chosen = batch.energies.shape[1], pairs.flatten(0, 1)
    lower, upper = chosen.amin(1), chosen.amax(1)
    place = lower * (2 * states - lower - 1) // 2 + upper - lower - 1  # among i < j
    return replace(
        rows,
        energies=rows.energies.gather(1, chosen),
        amplitudes=rows.amplitudes.gather(1, chosen),
        active_state=torch.zeros_like(rows.active_state),
        eigenvectors=_picked(rows.eigenvectors.mT, chosen).mT,
        couplings=_picked(rows.couplings, place[:, None].clamp(min=0)),
        forces=_picked(rows.forces, chosen),
    )


def _picked(values: Tensor, index: Int64[Tensor, "row place"]) -> Tensor:
    """Entries of axis 1 by ``index``; none where the axis has length zero."""
    if values.shape[1] == 0:
        return values
    shape = (*index.shape, *(1,) * (values.ndim - 2))
    return values.gather(1, index.reshape(shape).expand(-1, -1, *values.shape[2:]))


def turn_spheres(
    spheres: Float64[Tensor, "row 3"], propagator: Complex128[Tensor, "row 2 2"]
) -> Float64[Tensor, "row 3"]:
    """Turn spheres as the propagator of their pairs turns amplitudes: ρ → UρU†.

    Parameters
    ----------
    spheres
        S of each pair, of unit length.
    propagator
        U, unitary; its phase is of no importance.

    Returns
    -------
    S afterwards, its length made one to rounding.
    """
    x, y, z = spheres.unbind(1)
    zero = torch.zeros_like(z)
    real = torch.stack((torch.stack((1.0 + z, x), 1), torch.stack((x, 1.0 - z), 1)), 1)
    imaginary = torch.stack((torch.stack((zero, -y), 1), torch.stack((y, zero), 1)), 1)
    density = propagator @ torch.complex(real, imaginary) @ propagator.mH
    parts = torch.view_as_real(density)
    turned = torch.stack(
        (parts[:, 1, 0, 0], parts[:, 1, 0, 1], 0.5 * (parts[:, 0, 0, 0] - parts[:, 1, 1, 0])), 1
    )
    return turned / (turned * turned).sum(1, keepdim=True).sqrt()


def follow_states(overlap: Float64[Tensor, "traj state state"]) -> Int64[Tensor, "traj state"]:
    """Which state at t + dt continues each state of t: the largest overlaps first.

    Every state is its own continuation unless two have changed places within one step, as they do
    where their crossing is (nearly) trivial.

    Parameters
    ----------
    overlap
        ⟨φ_i(t)|φ_j(t+dt)⟩, of any sign.

    Returns
    -------
    j for every i, a permutation.
    """
    traj, states = overlap.shape[:2]
    own = torch.eye(states, dtype=overlap.dtype, device=overlap.device)
    score = overlap * overlap + _IDENTITY_FIRST * own
    followed = torch.zeros(traj, states, dtype=torch.int64, device=overlap.device)
    for _ in range(states):
        best = score.flatten(1).argmax(1)[:, None]
        row, column = best // states, best % states
        followed = followed.scatter(1, row, column)
        score = score.scatter(1, row[:, :, None].expand(-1, 1, states), -1.0)
        score = score.scatter(2, column[:, None].expand(-1, states, 1), -1.0)
    return followed

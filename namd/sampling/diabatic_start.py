r"""Adiabatic states of trajectories that start in a diabatic state.

Models are published with a wave packet on one diabat d. At each point of it the electrons are then
in the superposition :math:`c = U^\top e_d` of adiabatic states, and the active state a is drawn
with probability :math:`|c_a|^2 = U_{da}^2`: amplitudes and active states agree from the start. The
amplitudes themselves are made where the trajectories begin (:func:`namd.dynamics.batch.start`), in
the gauge that is propagated.
"""

import numpy as np
import torch
from jaxtyping import Float, Int

from namd.errors import ConfigError
from namd.potentials.protocol import Potential
from namd.random import Stream, uniform


def draw_adiabatic(
    potential: Potential,
    positions: Float[np.ndarray, "traj atom 3"],
    diabat: int,
    *,
    trajectory_id: Int[np.ndarray, " traj"],
    seed: int,
    device: str = "cpu",
) -> Int[np.ndarray, " traj"]:
    """Draw the active state of every trajectory; it depends on its identity and the seed only.

    Parameters
    ----------
    potential
        Has a quasi-diabatic basis with as many states as diabats.
    positions
        Initial geometries, Bohr.
    diabat
        d, counted from 0.
    trajectory_id, seed
        Keys of the random numbers.
    device
        Device of the potential.

    Raises
    ------
    ConfigError
        If there is no such basis, or some of its states are left out.
    """
    where = "initial_conditions.basis = diabatic"
    points = torch.as_tensor(positions, dtype=torch.float64, device=device)
    ground = torch.zeros(len(points), dtype=torch.int64, device=device)
    vectors = potential.surfaces(points, ground).eigenvectors
    if vectors is None:
        raise ConfigError(
            "the potential has no diabatic states", where=where, hint="use basis: adiabatic"
        )
    diabats, states = vectors.shape[1:]
    if diabats != states:
        raise ConfigError(
            f"of the {diabats} adiabatic states of the potential only {states} are kept; a "
            "diabatic state has parts in all of them",
            where=where,
            hint="keep all states, or use basis: adiabatic",
        )
    weights = vectors[:, diabat].square().cpu().numpy()
    number = uniform(trajectory_id, 0, seed=seed, stream=Stream.DIABATIC_START)
    # The last state takes what rounding leaves above the sum of all others.
    return np.asarray((weights.cumsum(axis=1)[:, :-1] < number[:, None]).sum(axis=1))

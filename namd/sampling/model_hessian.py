"""The ground-state minimum and Hessian of a potential itself.

The geometry is relaxed on S0 (:mod:`namd.sampling.relaxation`), then the forces are differentiated
by central differences, ∂²E/∂R_i∂R_j = −[F_i(R + h e_j) − F_i(R − h e_j)] / 2h, all displaced
geometries in batched calls.
"""

import numpy as np
import torch
from jaxtyping import Float

from namd.potentials.electronics import potential_electronics
from namd.potentials.protocol import Potential
from namd.sampling.geometry import Geometry
from namd.sampling.relaxation import relax_state

FORCE_TOLERANCE = 2e-5
"""Hartree/Bohr; 0.001 eV/Å. A Hessian is wanted nearer to the minimum than a geometry is."""
DISPLACEMENT = 0.01
_BATCH = 64


def model_hessian(
    potential: Potential,
    positions: Float[np.ndarray, "atom 3"],
    *,
    state: int = 0,
    device: str = "cpu",
) -> Float[np.ndarray, "coordinate coordinate"]:
    """Hessian of a state (S0) at ``positions`` by central differences of forces, symmetrised."""
    size = positions.size
    steps = DISPLACEMENT * np.concatenate((np.eye(size), -np.eye(size)))
    displaced = (positions.ravel() + steps).reshape(2 * size, *positions.shape)
    forces = [
        potential.force(
            torch.as_tensor(chunk, dtype=torch.float64, device=device),
            torch.full((len(chunk),), state, dtype=torch.int64, device=device),
        )
        .cpu()
        .numpy()
        for chunk in np.array_split(displaced, -(-len(displaced) // _BATCH))
    ]
    stacked = np.concatenate(forces).reshape(2, size, size)
    hessian = (stacked[1] - stacked[0]) / (2.0 * DISPLACEMENT)
    return np.asarray(0.5 * (hessian + hessian.T))


def relaxed_geometry(potential: Potential, guess: Geometry, *, device: str = "cpu") -> Geometry:
    """Relax a guess on S0 and differentiate there.

    Raises
    ------
    PhysicsError
        If no minimum is reached.
    """
    positions = relax_state(
        potential_electronics(potential, device=device),
        guess.atomic_numbers,
        guess.positions,
        state=0,
        tolerance=FORCE_TOLERANCE,
    ).positions
    return Geometry(
        atomic_numbers=guess.atomic_numbers,
        positions=positions,
        hessian=model_hessian(potential, positions, device=device),
    )

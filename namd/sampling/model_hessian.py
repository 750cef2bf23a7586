"""The ground-state minimum and Hessian of a potential itself.

The geometry is relaxed on S0 with BFGS, then the forces are differentiated by central differences,
∂²E/∂R_i∂R_j = −[F_i(R + h e_j) − F_i(R − h e_j)] / 2h, all displaced geometries in batched calls.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import minimize

from namd.errors import PhysicsError
from namd.potentials.protocol import Potential
from namd.sampling.geometry import Geometry

FORCE_TOLERANCE = 2e-5
ACCEPTED_FORCE = 5e-4
"""Hartree/Bohr: a network in single precision may not reach the tolerance, but this it must."""
DISPLACEMENT = 0.01
LONGEST_WAY = 20.0
"""Bohr: an atom that goes further than this on the way to the minimum is leaving."""
_BATCH = 64


def relax(
    potential: Potential, positions: Float[np.ndarray, "atom 3"], *, device: str = "cpu"
) -> Float[np.ndarray, "atom 3"]:
    """Ground-state minimum next to ``positions``, Bohr.

    Raises
    ------
    PhysicsError
        If no minimum is reached.
    """
    shape = positions.shape

    def energy_and_gradient(flat: Float[np.ndarray, " coordinate"]) -> tuple[float, np.ndarray]:
        if not np.abs(flat - positions.ravel()).max() < LONGEST_WAY:
            raise PhysicsError(
                "the geometry does not relax on S0: it falls apart on the way",
                where="initial_conditions.hessian = model",
                hint="start from a geometry nearer to the minimum, or give a Hessian",
            )
        geometry = torch.as_tensor(flat.reshape(1, *shape), dtype=torch.float64, device=device)
        ground = torch.zeros(1, dtype=torch.int64, device=device)
        surfaces = potential.surfaces(geometry, ground)
        return float(surfaces.energies[0, 0]), -surfaces.force[0].cpu().numpy().ravel()

    result = minimize(
        energy_and_gradient,
        positions.ravel(),
        jac=True,
        method="BFGS",
        options={"gtol": FORCE_TOLERANCE, "maxiter": 1000},
    )
    largest = float(np.abs(result.jac).max())
    if not largest < ACCEPTED_FORCE:
        raise PhysicsError(
            f"the geometry does not relax on S0: a force of {largest:.1e} Hartree/Bohr is left",
            where="initial_conditions.hessian = model",
            hint="start from a geometry nearer to the minimum, or give a Hessian",
        )
    return np.asarray(result.x).reshape(shape)


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
    """Relax a guess on S0 and differentiate there."""
    positions = relax(potential, guess.positions, device=device)
    return Geometry(
        atomic_numbers=guess.atomic_numbers,
        positions=positions,
        hessian=model_hessian(potential, positions, device=device),
    )

r"""Classical canonical distributions: Maxwell–Boltzmann momenta, harmonic positions.

::

    Var(p_Aα) = M_A kT          Var(q_m) = kT / ω_m²

Momenta are drawn in Cartesian coordinates, so they fit any geometry; total linear and angular
momentum are then taken out exactly, at each geometry for itself, which leaves the canonical
distribution of all other directions (nothing is rescaled: the kinetic energy fluctuates as it
must, about kT/2 for each remaining degree of freedom).

Below room temperature nearly all vibrations of a molecule are in their quantum ground state:
classical momenta then hold too little energy, and :mod:`namd.sampling.wigner` is what is wanted.
"""

import numpy as np
from jaxtyping import Float, Int

from namd.errors import PhysicsError
from namd.random import Stream, normals
from namd.sampling.normal_modes import NormalModes
from namd.sampling.wigner import LowModes, is_frozen, refuse_imaginary
from namd.units import HARTREE_PER_KELVIN


def maxwell_boltzmann(
    positions: Float[np.ndarray, "traj atom 3"],
    masses: Float[np.ndarray, " atom"],
    trajectory_id: Int[np.ndarray, " traj"],
    *,
    temperature_k: float,
    seed: int,
    remove_translation: bool = True,
    remove_rotation: bool = True,
) -> Float[np.ndarray, "traj atom 3"]:
    """Draw velocities at given positions.

    Parameters
    ----------
    positions
        Bohr.
    masses
        In electron masses.
    trajectory_id
        Identity of each row; a trajectory does not depend on the others.
    temperature_k
        Temperature in kelvin.
    seed
        Seed of the run.
    remove_translation, remove_rotation
        Whether total linear momentum, and angular momentum about the centre of mass, are zero.

    Returns
    -------
    Velocities in Bohr per atomic unit of time.

    Raises
    ------
    PhysicsError
        If the removal leaves nothing that moves.
    """
    if remove_translation and len(masses) == 1:
        raise PhysicsError(
            "a single particle without total momentum does not move",
            where="initial_conditions.remove_translation",
            hint="set it to false",
        )
    draws = normals(trajectory_id, count=positions[0].size, seed=seed, stream=Stream.WIGNER)
    width = np.sqrt(temperature_k * HARTREE_PER_KELVIN / masses)[:, None]
    velocities = draws.reshape(positions.shape) * width
    if remove_translation:
        velocities = velocities - _centre(velocities, masses)
    if remove_rotation:
        velocities = velocities - _rigid_rotation(positions, velocities, masses)
    return np.asarray(velocities)


def harmonic_positions(
    modes: NormalModes,
    trajectory_id: Int[np.ndarray, " traj"],
    *,
    temperature_k: float,
    low_modes: LowModes,
    seed: int,
) -> Float[np.ndarray, "traj atom 3"]:
    """Draw positions of classical harmonic oscillators, Bohr; frozen modes stay at the minimum.

    The draws are other ones than those of :func:`maxwell_boltzmann` for the same trajectories.

    Raises
    ------
    PhysicsError
        If a mode that is not frozen is imaginary.
    """
    frozen = is_frozen(modes, low_modes)
    refuse_imaginary(modes, frozen)
    skipped, count = modes.positions.size, len(modes.frequencies)
    draws = normals(trajectory_id, count=skipped + count, seed=seed, stream=Stream.WIGNER)
    omega = np.where(frozen, 1.0, modes.frequencies)
    width = np.where(frozen, 0.0, np.sqrt(temperature_k * HARTREE_PER_KELVIN) / omega)
    to_cartesian = modes.vectors / np.sqrt(modes.masses)[:, None]
    displacement = np.einsum("tm,max->tax", draws[:, skipped:] * width, to_cartesian)
    return np.asarray(modes.positions + displacement)


def _centre(
    values: Float[np.ndarray, "traj atom 3"], masses: Float[np.ndarray, " atom"]
) -> Float[np.ndarray, "traj 1 3"]:
    """Mean of the atoms' vectors, weighted with their masses."""
    return np.asarray(np.einsum("a,tax->tx", masses / masses.sum(), values)[:, None])


def _rigid_rotation(
    positions: Float[np.ndarray, "traj atom 3"],
    velocities: Float[np.ndarray, "traj atom 3"],
    masses: Float[np.ndarray, " atom"],
) -> Float[np.ndarray, "traj atom 3"]:
    """Velocities Ω × r of the rotation that holds the angular momentum, I Ω = L."""
    r = positions - _centre(positions, masses)
    angular = np.einsum("a,tax->tx", masses, np.cross(r, velocities))
    squares = np.einsum("a,tax,tax->t", masses, r, r)
    inertia = squares[:, None, None] * np.eye(3) - np.einsum("a,tax,tay->txy", masses, r, r)
    # A linear molecule does not rotate about its axis: that moment is zero and left out.
    omega = np.einsum("txy,ty->tx", np.linalg.pinv(inertia, rcond=1e-9, hermitian=True), angular)
    return np.asarray(np.cross(omega[:, None], r))

"""Classical thermal points at a geometry, with what a user should know of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from namd.molecule import Molecule
from namd.sampling.boltzmann import harmonic_positions, maxwell_boltzmann
from namd.sampling.geometry import Geometry, check_distances
from namd.sampling.normal_modes import NormalModes
from namd.sampling.vibrations import describe_modes, modes_of, treated_modes
from namd.sampling.wigner import LowModes


@dataclass(frozen=True, eq=False, kw_only=True)
class ThermalPoints:
    """Drawn points.

    Parameters
    ----------
    positions, velocities
        Bohr, Bohr per atomic unit of time.
    notes
        How they were drawn; one line each.
    modes
        The normal modes; ``None`` where positions were not drawn.
    """

    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    notes: tuple[str, ...]
    modes: NormalModes | None


def thermal_points(
    geometry: Geometry,
    molecule: Molecule,
    trajectory_id: Int[np.ndarray, " traj"],
    *,
    temperature_k: float,
    low_modes: LowModes | None,
    seed: int,
    where: str,
    remove_translation: bool = True,
    remove_rotation: bool = True,
) -> ThermalPoints:
    """Draw Maxwell–Boltzmann momenta, and positions where modes are to be drawn.

    Parameters
    ----------
    geometry, molecule
        The geometry, a minimum with its Hessian where positions are drawn.
    trajectory_id, temperature_k, seed
        See :func:`~namd.sampling.boltzmann.maxwell_boltzmann`.
    low_modes
        Draw positions from the classical harmonic distribution, treating soft modes so; ``None``
        leaves all at the geometry.
    where
        File and group of the geometry, for messages.
    remove_translation, remove_rotation
        Whether total momenta are zero.

    Raises
    ------
    DataError
        If the Hessian is missing or wrong, or two atoms come to lie on top of each other.
    PhysicsError
        If the geometry is no minimum where one is needed, or nothing is left to move.
    """
    positions = np.repeat(geometry.positions[None], len(trajectory_id), axis=0)
    notes = [f"Maxwell–Boltzmann momenta at {temperature_k:g} K"]
    modes = None
    if low_modes is not None:
        modes = modes_of(geometry, molecule, where=where)
        positions = harmonic_positions(
            modes, trajectory_id, temperature_k=temperature_k, low_modes=low_modes, seed=seed
        )
        check_distances(
            positions,
            molecule,
            where="classical harmonic sample",
            hint="lower the temperature, or freeze soft modes (low_modes, --low-modes-below)",
        )
        notes[0] += f", classical harmonic positions: {describe_modes(modes)}"
        notes += [line for line in treated_modes(modes, low_modes) if "frozen" in line]
    removed = (("linear", remove_translation), ("angular", remove_rotation))
    kept = [word for word, is_removed in removed if not is_removed]
    if kept:
        notes[0] += f"; total {' and '.join(kept)} momentum kept"
    velocities = maxwell_boltzmann(
        positions,
        molecule.masses,
        trajectory_id,
        temperature_k=temperature_k,
        seed=seed,
        remove_translation=remove_translation,
        remove_rotation=remove_rotation,
    )
    return ThermalPoints(
        positions=positions, velocities=velocities, notes=tuple(notes), modes=modes
    )

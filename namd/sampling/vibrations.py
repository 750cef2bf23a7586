"""From a minimum with its Hessian to phase-space points, and to what a user should know of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from namd.errors import DataError
from namd.molecule import Molecule
from namd.sampling.geometry import Geometry, check_distances
from namd.sampling.normal_modes import NormalModes, normal_modes, rigid_wavenumber
from namd.sampling.wigner import LowModes, is_frozen, is_soft, wigner_sample

LARGEST_INVERSE_CM = 6000.0
"""H₂, the stiffest of all, vibrates at 4401 cm⁻¹."""
LARGEST_RIGID_INVERSE_CM = 200.0
"""Rotations of a converged minimum are below about 50 cm⁻¹, those of a turned one above this."""


@dataclass(frozen=True, eq=False, kw_only=True)
class VibratingMolecule:
    """Drawn points.

    Parameters
    ----------
    positions, velocities
        Bohr, Bohr per atomic unit of time.
    notes
        Which modes there are, and what was done to which; one line each.
    modes
        The normal modes.
    """

    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    notes: tuple[str, ...]
    modes: NormalModes


def modes_of(minimum: Geometry, molecule: Molecule, *, where: str) -> NormalModes:
    """Normal modes of a geometry read from a file.

    Raises
    ------
    DataError
        If it has no Hessian, or one that cannot be right.
    """
    if minimum.hessian is None:
        raise DataError(
            "the geometry has no Hessian",
            where=where,
            hint="make a minimum with its Hessian (`namd sample hessian`), give a file of it "
            "(geometry.hessian_file, --hessian), or let the run's potential make it "
            "(initial_conditions.hessian: model)",
        )
    try:
        modes = normal_modes(minimum.positions, minimum.hessian, molecule.masses)
    except DataError as error:
        raise DataError(error.message, where=f"{where}  {error.where}", hint=error.hint) from None
    rigid = rigid_wavenumber(minimum.positions, minimum.hessian, molecule.masses)
    if rigid > LARGEST_RIGID_INVERSE_CM:
        raise DataError(
            f"moving or turning the whole molecule costs energy ({rigid:.0f} cm⁻¹)",
            where=f"{where}  hessian",
            hint="it belongs to another orientation or order of the atoms, or to a geometry with "
            "large forces",
        )
    if modes.wavenumbers.max(initial=0.0) > LARGEST_INVERSE_CM:
        raise DataError(
            f"no molecule vibrates at {modes.wavenumbers.max():.0f} cm⁻¹",
            where=f"{where}  hessian",
            hint="give it in Hartree/Bohr² (1 eV/Å² = 0.01029, 1 mDyn/Å = 0.06423), without masses",
        )
    return modes


def wigner_points(
    minimum: Geometry,
    molecule: Molecule,
    trajectory_id: Int[np.ndarray, " traj"],
    *,
    temperature_k: float,
    low_modes: LowModes,
    seed: int,
    where: str,
) -> VibratingMolecule:
    """Draw from the Wigner distribution about a minimum.

    Parameters
    ----------
    minimum, molecule
        Positions and Hessian, and the masses.
    trajectory_id, temperature_k, low_modes, seed
        See :func:`~namd.sampling.wigner.wigner_sample`.
    where
        File and group of the minimum, for messages.

    Raises
    ------
    DataError
        If the Hessian is missing or wrong, or the sample brings two atoms on top of each other.
    PhysicsError
        If the geometry is no minimum.
    """
    modes = modes_of(minimum, molecule, where=where)
    positions, velocities = wigner_sample(
        modes, trajectory_id, temperature_k=temperature_k, low_modes=low_modes, seed=seed
    )
    check_distances(
        positions,
        molecule,
        where="Wigner sample",
        hint="lower the temperature, or freeze soft modes (low_modes, --low-modes-below)",
    )
    about = f"Wigner distribution at {temperature_k:g} K: {describe_modes(modes)}"
    return VibratingMolecule(
        positions=positions,
        velocities=velocities,
        notes=(about, *treated_modes(modes, low_modes)),
        modes=modes,
    )


def describe_modes(modes: NormalModes) -> str:
    """Tell number and range, e.g. ``72 modes, 27 to 3160 cm⁻¹``."""
    count = len(modes.wavenumbers)
    if not count:
        return "no modes"
    ends = (_wavenumber(modes.wavenumbers[0]), _wavenumber(modes.wavenumbers[-1]))
    return f"{count} mode{'' if count == 1 else 's'}, {ends[0]} to {ends[1]} cm⁻¹"


def treated_modes(modes: NormalModes, low_modes: LowModes) -> tuple[str, ...]:
    """Say which modes were not sampled as harmonic vibrations, a line for each treatment."""
    frozen = is_frozen(modes, low_modes)
    classical = is_soft(modes, low_modes) & ~frozen
    lines = []
    for hit, treatment in (
        (frozen & (modes.frequencies > 0), "frozen (below the cut-off)"),
        (frozen & (modes.frequencies <= 0), "imaginary and frozen"),
        (classical, "sampled classically (below the cut-off)"),
    ):
        if hit.any():
            listed = ", ".join(_wavenumber(value) for value in modes.wavenumbers[hit])
            lines.append(f"{int(hit.sum())} of them {treatment}: {listed} cm⁻¹")
    return tuple(lines)


def _wavenumber(value: float) -> str:
    return f"{value:.0f}" if value > 0 else f"{-value:.0f}i"

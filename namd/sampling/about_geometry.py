"""Initial conditions about a molecule's geometry: the Wigner and Boltzmann methods of a run."""

from pathlib import Path

import numpy as np
from jaxtyping import Int

from namd.config.initial_conditions import BoltzmannConfig, GeometryConfig, WignerConfig
from namd.errors import DataError
from namd.io.hdf5 import create_hdf5, write_array
from namd.io.library import find_file
from namd.potentials.protocol import Potential
from namd.sampling.conditions import InitialConditions, same_state
from namd.sampling.geometry import Geometry, check_distances, check_molecule, read_geometry
from namd.sampling.model_hessian import relaxed_geometry
from namd.sampling.thermal import thermal_points
from namd.sampling.vibrations import wigner_points
from namd.sampling.wigner import LowModes


def from_wigner(
    config: WignerConfig,
    potential: Potential,
    identity: Int[np.ndarray, " traj"],
    *,
    seed: int,
    base: Path,
    cache: Path,
    device: str,
) -> InitialConditions:
    """Draw from the Wigner distribution about a minimum.

    Parameters
    ----------
    config
        The method's section.
    potential
        Of the same molecule; relaxed and differentiated where its own Hessian is asked for.
    identity
        Which trajectories (or candidates) to draw.
    seed, base, cache, device
        As for :func:`namd.sampling.initial_conditions.make_initial_conditions`.

    Raises
    ------
    ModelError
        If the geometry is of another molecule.
    DataError
        If a file cannot be used, or two atoms lie on top of each other.
    PhysicsError
        If the geometry is no minimum.
    """
    minimum, where = _minimum(
        config.geometry,
        potential,
        relax=config.hessian == "model",
        base=base,
        cache=cache,
        device=device,
    )
    made = wigner_points(
        minimum,
        potential.molecule,
        identity,
        temperature_k=config.temperature_k,
        low_modes=_low_modes(config),
        seed=seed,
        where=where,
    )
    return InitialConditions(
        positions=made.positions,
        velocities=made.velocities,
        active_state=same_state(config.state, len(identity)),
        reference=minimum.positions,
        notes=made.notes,
        modes=made.modes,
    )


def _low_modes(config: WignerConfig | BoltzmannConfig) -> LowModes:
    return LowModes(
        below_inverse_cm=config.low_modes.below_inverse_cm,
        treatment=config.low_modes.treatment,
        imaginary=config.imaginary_modes,
    )


def _minimum(
    config: GeometryConfig,
    potential: Potential,
    *,
    relax: bool,
    base: Path,
    cache: Path,
    device: str,
) -> tuple[Geometry, str]:
    """Read a geometry of the potential's molecule, relax it if asked to, and say where it is."""
    path = find_file(config.file, base=base)
    extra = None if config.hessian_file is None else find_file(config.hessian_file, base=base)
    where = f"{path}, {config.name}" if config.name else str(path)
    geometry = read_geometry(path, name=config.name, hessian_file=extra)
    check_molecule(geometry.atomic_numbers, potential.molecule, where=where)
    check_distances(geometry.positions[None], potential.molecule, where=where)
    if relax:
        geometry = _cached_relaxation(potential, geometry, cache=cache, device=device)
    return geometry, where


def _cached_relaxation(
    potential: Potential, guess: Geometry, *, cache: Path, device: str
) -> Geometry:
    """Minimum and Hessian of the potential, kept in the run folder so that a resume is quick."""
    if not cache.exists():
        made = relaxed_geometry(potential, guess, device=device)
        if made.hessian is None:
            raise DataError("the Hessian of the potential could not be made")
        with create_hdf5(cache) as file:
            write_array(file, "atomic_numbers", made.atomic_numbers, unit="1")
            write_array(file, "positions", made.positions, unit="bohr")
            write_array(file, "hessian", made.hessian, unit="hartree/bohr^2")
    return read_geometry(cache)


def from_boltzmann(
    config: BoltzmannConfig,
    potential: Potential,
    identity: Int[np.ndarray, " traj"],
    *,
    seed: int,
    base: Path,
    cache: Path,
    device: str,
) -> InitialConditions:
    """Draw Maxwell–Boltzmann momenta, at the geometry or in its classical harmonic ensemble.

    Parameters
    ----------
    config
        The method's section.
    potential
        Of the same molecule; relaxed and differentiated where its own Hessian is asked for.
    identity
        Which trajectories (or candidates) to draw.
    seed, base, cache, device
        As for :func:`namd.sampling.initial_conditions.make_initial_conditions`.

    Raises
    ------
    ModelError
        If the geometry is of another molecule.
    DataError
        If a file cannot be used, or two atoms lie on top of each other.
    PhysicsError
        If the geometry is no minimum where one is needed, or nothing is left to move.
    """
    harmonic = config.positions == "harmonic"
    geometry, where = _minimum(
        config.geometry,
        potential,
        relax=harmonic and config.hessian == "model",
        base=base,
        cache=cache,
        device=device,
    )
    made = thermal_points(
        geometry,
        potential.molecule,
        identity,
        temperature_k=config.temperature_k,
        low_modes=_low_modes(config) if harmonic else None,
        seed=seed,
        where=where,
        remove_translation=config.remove_translation,
        remove_rotation=config.remove_rotation,
    )
    return InitialConditions(
        positions=made.positions,
        velocities=made.velocities,
        active_state=same_state(config.state, len(identity)),
        reference=geometry.positions,
        notes=made.notes,
        modes=made.modes,
    )

"""From the ``initial_conditions`` section of a run to positions, velocities and states."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from namd.config.initial_conditions import (
    FileConfig,
    InitialConditionsConfig,
    ModelParticleConfig,
    OscillatorsConfig,
    WignerConfig,
)
from namd.errors import ConfigError, DataError, ModelError
from namd.io.hdf5 import create_hdf5, write_array
from namd.io.library import find_file
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.protocol import Potential
from namd.random import Stream, normals
from namd.sampling.diabatic_start import draw_adiabatic
from namd.sampling.geometry import Geometry, check_distances, check_molecule, read_geometry
from namd.sampling.given import read_points
from namd.sampling.model_hessian import relaxed_geometry
from namd.sampling.normal_modes import normal_modes, oscillator_modes
from namd.sampling.wigner import LowModes, is_soft, wigner_sample


@dataclass(frozen=True, eq=False, kw_only=True)
class InitialConditions:
    """Where every trajectory starts.

    Parameters
    ----------
    positions, velocities
        Bohr, Bohr per atomic time unit.
    active_state
        0-based.
    diabatic_state
        The diabat in which each starts, 0-based; none for a start in the adiabatic active state.
    reference
        Geometry whose bonds the broken-molecule guard watches, Bohr; none for a model particle.
    notes
        What a user should know, e.g. which modes were frozen; one line each.
    """

    positions: Float[np.ndarray, "traj atom 3"]
    velocities: Float[np.ndarray, "traj atom 3"]
    active_state: Int[np.ndarray, " traj"]
    diabatic_state: Int[np.ndarray, " traj"] | None = None
    reference: Float[np.ndarray, "atom 3"] | None = None
    notes: tuple[str, ...] = ()


def make_initial_conditions(
    config: InitialConditionsConfig,
    potential: Potential,
    *,
    trajectories: int,
    seed: int,
    base: Path,
    cache: Path,
    device: str = "cpu",
) -> InitialConditions:
    """Make the initial conditions of trajectories 0, 1, 2 and so on.

    Parameters
    ----------
    config
        One of the methods.
    potential
        Tells molecule and states; differentiated where the method asks for its Hessian.
    trajectories, seed
        How many, and from which seed; trajectory k depends on k and the seed only.
    base
        Folder that file names are relative to.
    cache
        Where a Hessian of the potential is kept (an HDF5 file, made if absent).
    device
        Device of the potential.

    Raises
    ------
    ModelError
        If the geometry is of another molecule or the state does not exist.
    ConfigError
        If the method does not fit the potential.
    DataError
        If a file is missing or damaged, or two atoms lie on top of each other.
    PhysicsError
        If the geometry is no minimum.
    """
    if config.state >= len(potential.states):
        raise ModelError(
            f"the model has the states {', '.join(potential.states.labels)}",
            where=f"initial_conditions.state = {config.state}",
            hint=f"states are counted from 0: give 0 to {len(potential.states) - 1}",
        )
    identity = np.arange(trajectories)
    match config:
        case WignerConfig():
            made = _wigner(
                config, potential, identity, seed=seed, base=base, cache=cache, device=device
            )
        case OscillatorsConfig():
            made = _oscillators(config, potential, identity, seed=seed)
        case ModelParticleConfig():
            made = _model_particle(config, potential, identity, seed=seed)
        case FileConfig():
            made = _given(config, potential, identity, base=base)
    if isinstance(config, WignerConfig) or config.basis == "adiabatic":
        return made
    drawn = draw_adiabatic(
        potential,
        made.positions,
        config.state,
        trajectory_id=identity,
        seed=seed,
        device=device,
    )
    return replace(made, active_state=drawn, diabatic_state=_states(config.state, identity))


def _states(state: int, identity: Int[np.ndarray, " traj"]) -> Int[np.ndarray, " traj"]:
    return np.full(len(identity), state, dtype=np.int64)


def _wigner(
    config: WignerConfig,
    potential: Potential,
    identity: Int[np.ndarray, " traj"],
    *,
    seed: int,
    base: Path,
    cache: Path,
    device: str,
) -> InitialConditions:
    path = find_file(config.geometry.file, base=base)
    where = f"{path}, {config.geometry.name}" if config.geometry.name else str(path)
    minimum = read_geometry(path, name=config.geometry.name)
    check_molecule(minimum.atomic_numbers, potential.molecule, where=where)
    check_distances(minimum.positions[None], potential.molecule, where=where)
    if config.hessian == "model":
        minimum = _cached_relaxation(potential, minimum, cache=cache, device=device)
    if minimum.hessian is None:
        raise DataError(
            "the geometry has no Hessian",
            where=where,
            hint="set initial_conditions.hessian to model, or add a dataset 'hessian'",
        )
    try:
        modes = normal_modes(minimum.positions, minimum.hessian, potential.molecule.masses)
    except DataError as error:
        raise DataError(error.message, where=f"{where}  {error.where}", hint=error.hint) from None
    low = LowModes(
        below_inverse_cm=config.low_modes.below_inverse_cm, treatment=config.low_modes.treatment
    )
    positions, velocities = wigner_sample(
        modes, identity, temperature_k=config.temperature_k, low_modes=low, seed=seed
    )
    check_distances(
        positions,
        potential.molecule,
        where="Wigner sample",
        hint="lower the temperature, or freeze soft modes with low_modes.below_inverse_cm",
    )
    soft = modes.wavenumbers[is_soft(modes, low)]
    treated = {"freeze": "frozen", "classical": "sampled classically"}[low.treatment]
    count, lowest, highest = len(modes.wavenumbers), modes.wavenumbers[0], modes.wavenumbers[-1]
    about = f"Wigner distribution at {config.temperature_k:g} K: {count} modes"
    notes = [f"{about}, {lowest:.0f} to {highest:.0f} cm⁻¹"]
    if len(soft):
        listed = ", ".join(f"{nu:.0f}" for nu in soft)
        notes.append(f"{len(soft)} of them {treated} (below the cut-off): {listed} cm⁻¹")
    return InitialConditions(
        positions=positions,
        velocities=velocities,
        active_state=_states(config.state, identity),
        reference=minimum.positions,
        notes=tuple(notes),
    )


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


def _oscillators(
    config: OscillatorsConfig,
    potential: Potential,
    identity: Int[np.ndarray, " traj"],
    *,
    seed: int,
) -> InitialConditions:
    harmonic = potential.harmonic if isinstance(potential, DiabaticPotential) else None
    if harmonic is None:
        raise ConfigError(
            "this potential is not built on harmonic oscillators",
            where="initial_conditions.method = oscillators",
            hint="use wigner for a molecule, model-particle for one particle, or file",
        )
    masses = potential.molecule.masses
    modes = oscillator_modes(harmonic.positions, harmonic.hessian, masses)
    positions, velocities = wigner_sample(
        modes, identity, temperature_k=config.temperature_k, low_modes=LowModes(), seed=seed
    )
    count, lowest, highest = len(modes.wavenumbers), modes.wavenumbers[0], modes.wavenumbers[-1]
    about = f"Wigner distribution at {config.temperature_k:g} K: {count} oscillators of the model"
    return InitialConditions(
        positions=positions,
        velocities=velocities,
        active_state=_states(config.state, identity),
        notes=(f"{about}, {lowest:.0f} to {highest:.0f} cm⁻¹",),
    )


def _model_particle(
    config: ModelParticleConfig,
    potential: Potential,
    identity: Int[np.ndarray, " traj"],
    *,
    seed: int,
) -> InitialConditions:
    """Draw x and p of a Gaussian wave packet from its Wigner function, two Gaussians."""
    if len(potential.molecule) != 1:
        raise ConfigError(
            f"the potential is that of {potential.molecule.formula}, not of a model particle",
            where="initial_conditions.method = model-particle",
            hint="use wigner or file",
        )
    draws = np.zeros((len(identity), 2))
    width = config.position_width_bohr
    if width is not None:
        draws = normals(identity, count=2, seed=seed, stream=Stream.WIGNER)
        draws = draws * (width, 0.5 / width)
    positions = np.zeros((len(identity), 1, 3))
    velocities = np.zeros((len(identity), 1, 3))
    positions[:, 0, 0] = config.position_bohr + draws[:, 0]
    velocities[:, 0, 0] = (config.momentum_au + draws[:, 1]) / potential.molecule.masses[0]
    return InitialConditions(
        positions=positions,
        velocities=velocities,
        active_state=_states(config.state, identity),
    )


def _given(
    config: FileConfig, potential: Potential, identity: Int[np.ndarray, " traj"], *, base: Path
) -> InitialConditions:
    path = find_file(config.path, base=base)
    points = read_points(path, group=config.group, count=len(identity))
    check_molecule(points.atomic_numbers, potential.molecule, where=str(path))
    check_distances(points.positions, potential.molecule, where=str(path))
    return InitialConditions(
        positions=points.positions,
        velocities=points.velocities,
        active_state=_states(config.state, identity),
        reference=points.positions[0] if len(potential.molecule) > 1 else None,
        notes=(f"initial conditions from {path}",),
    )

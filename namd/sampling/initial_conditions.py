"""From the ``initial_conditions`` section of a run to positions, velocities and states."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from namd.config.initial_conditions import (
    BoltzmannConfig,
    FileConfig,
    InitialConditionsConfig,
    ModelParticleConfig,
    OscillatorsConfig,
    WignerConfig,
)
from namd.data.permutations import bonds
from namd.errors import ConfigError, ModelError
from namd.io.library import find_file
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.protocol import Potential
from namd.random import Stream, normals
from namd.sampling.about_geometry import from_boltzmann, from_wigner
from namd.sampling.absorption import PER_TRAJECTORY, Labels, absorb, check_excitation
from namd.sampling.conditions import InitialConditions, same_state
from namd.sampling.diabatic_start import draw_adiabatic
from namd.sampling.geometry import check_distances, check_molecule
from namd.sampling.given import read_points
from namd.sampling.normal_modes import oscillator_modes
from namd.sampling.wigner import LowModes, wigner_sample


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
    if config.state is not None and config.state >= len(potential.states):
        raise ModelError(
            f"the model has the states {', '.join(potential.states.labels)}",
            where=f"initial_conditions.state = {config.state}",
            hint=f"states are counted from 0: give 0 to {len(potential.states) - 1}",
        )
    excitation = None if isinstance(config, ModelParticleConfig) else config.excitation
    count = trajectories
    if excitation is not None:
        check_excitation(excitation, potential)
        count = excitation.candidates or PER_TRAJECTORY * trajectories
    identity = np.arange(count)
    labels = None
    match config:
        case WignerConfig():
            made = from_wigner(
                config, potential, identity, seed=seed, base=base, cache=cache, device=device
            )
        case BoltzmannConfig():
            made = from_boltzmann(
                config, potential, identity, seed=seed, base=base, cache=cache, device=device
            )
        case OscillatorsConfig():
            made = _oscillators(config, potential, identity, seed=seed)
        case ModelParticleConfig():
            made = _model_particle(config, potential, identity, seed=seed)
        case FileConfig():
            number = count if excitation is None else excitation.candidates
            made, labels = _given(config, potential, number, base=base)
    if (
        isinstance(config, OscillatorsConfig | ModelParticleConfig | FileConfig)
        and config.basis == "diabatic"
        and config.state is not None
    ):
        drawn = draw_adiabatic(
            potential,
            made.positions,
            config.state,
            trajectory_id=identity,
            seed=seed,
            device=device,
        )
        diabats = same_state(config.state, trajectories)
        return replace(made, active_state=drawn, diabatic_state=diabats)
    if excitation is None:
        return made
    chosen = absorb(
        excitation,
        potential,
        made.positions,
        labels=labels,
        trajectories=trajectories,
        seed=seed,
        device=device,
    )
    return replace(
        made,
        positions=made.positions[chosen.candidate],
        velocities=made.velocities[chosen.candidate],
        active_state=chosen.state,
        notes=(*made.notes, chosen.note),
        candidate=chosen.candidate,
        excitation=chosen.record,
    )


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
        active_state=same_state(config.state, len(identity)),
        notes=(f"{about}, {lowest:.0f} to {highest:.0f} cm⁻¹",),
        modes=modes,
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
        active_state=same_state(config.state, len(identity)),
    )


def _fewest_bonds(positions: Float[np.ndarray, "traj atom 3"], molecule: Molecule) -> int | None:
    """The first geometry all of whose bonds are bonds of every other one, too."""
    drawn = np.stack([bonds(molecule, each) for each in positions])
    fewest = (drawn == drawn.all(0)).all((1, 2))
    return int(fewest.argmax()) if fewest.any() else None


def _given(
    config: FileConfig, potential: Potential, count: int | None, *, base: Path
) -> tuple[InitialConditions, Labels | None]:
    path = find_file(config.path, base=base)
    points = read_points(path, group=config.group, count=count)
    check_molecule(points.atomic_numbers, potential.molecule, where=str(path))
    # Model particles may lie anywhere, and have no bonds to be watched.
    real = bool((points.atomic_numbers > 0).all())
    if real:
        check_distances(points.positions, potential.molecule, where=str(path))
    watched = _fewest_bonds(points.positions, potential.molecule) if real else None
    notes = [f"initial conditions from {path}"]
    if real and watched is None:
        notes.append("bonds differ between geometries: no trajectory is parked for a broken one")
    made = InitialConditions(
        positions=points.positions,
        velocities=points.velocities,
        active_state=same_state(config.state, len(points.positions)),
        reference=None if watched is None else points.positions[watched],
        notes=tuple(notes),
    )
    if points.energies is None:
        return made, None
    return made, Labels(points.energies, points.transition_dipoles)

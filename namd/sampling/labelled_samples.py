"""Sets of phase-space points with what a potential says of them."""

import tempfile
from dataclasses import replace
from pathlib import Path

from namd.config.initial_conditions import OscillatorsConfig, WignerConfig
from namd.config.run import RunConfig
from namd.errors import ConfigError
from namd.io.samples import Samples
from namd.potentials.protocol import Potential
from namd.sampling.absorption import compute_labels
from namd.sampling.geometry import check_molecule
from namd.sampling.initial_conditions import make_initial_conditions


def with_labels(samples: Samples, potential: Potential, *, device: str, where: str) -> Samples:
    """Add energies and, if the potential has them, transition dipoles.

    Parameters
    ----------
    samples
        Of the potential's molecule.
    potential, device
        What computes, and where.
    where
        Where the molecule comes from, for messages.

    Raises
    ------
    ModelError
        If the potential is one of another molecule.
    """
    check_molecule(samples.molecule.atomic_numbers, potential.molecule, where=where)
    labels = compute_labels(potential, samples.positions, device=device)
    return replace(
        samples,
        states=potential.states,
        energies=labels.energies,
        transition_dipoles=labels.transition_dipoles,
        potential=potential.describe(),
    )


def sample_run(
    config: RunConfig,
    potential: Potential,
    *,
    number: int,
    seed: int,
    base: Path,
    device: str,
    where: str,
) -> Samples:
    """Draw the ensemble that a run would start from, before any excitation, with labels.

    Parameters
    ----------
    config
        Of the run; its initial conditions are ``wigner`` or ``oscillators``.
    potential
        The run's own.
    number, seed
        How many samples, and their seed.
    base
        Folder of the configuration.
    device
        Device of the potential.
    where
        Name of the configuration, for messages.

    Raises
    ------
    ConfigError
        If the run does not start from a Wigner distribution.
    DataError, ModelError, PhysicsError
        As :func:`~namd.sampling.initial_conditions.make_initial_conditions`.
    """
    section = config.initial_conditions
    if not isinstance(section, WignerConfig | OscillatorsConfig):
        raise ConfigError(
            f"this run starts from {section.method}, not from a Wigner distribution",
            where=f"{where}  initial_conditions.method",
            hint="give a configuration with the method wigner or oscillators, or a geometry",
        )
    ground = section.model_copy(update={"state": 0, "excitation": None})
    with tempfile.TemporaryDirectory() as folder:
        made = make_initial_conditions(
            ground,
            potential,
            trajectories=number,
            seed=seed,
            base=base,
            cache=Path(folder) / "hessian.h5",
            device=device,
        )
    samples = Samples(
        molecule=potential.molecule,
        positions=made.positions,
        velocities=made.velocities,
        method="wigner",
        seed=seed,
        notes=made.notes,
    )
    return with_labels(samples, potential, device=device, where=where)

"""Sets of phase-space points to be written to a file: no potential is needed, and no torch."""

from pathlib import Path

import numpy as np

from namd.io.samples import Samples
from namd.molecule import Molecule
from namd.sampling.geometry import Geometry, check_distances, read_geometry
from namd.sampling.thermal import thermal_points
from namd.sampling.vibrations import wigner_points
from namd.sampling.wigner import LowModes


def read_minimum(
    path: Path, *, name: str | None = None, hessian_file: Path | None = None
) -> tuple[Geometry, Molecule, str]:
    """Read a geometry to sample about, its molecule, and the words for where it is.

    Parameters
    ----------
    path, name, hessian_file
        As for :func:`namd.sampling.geometry.read_geometry`.

    Raises
    ------
    DataError
        If it cannot be read, or is no geometry of a molecule.
    """
    geometry = read_geometry(path, name=name, hessian_file=hessian_file)
    where = f"{path}, {name}" if name else str(path)
    molecule = Molecule.from_numbers(geometry.atomic_numbers, charge=geometry.charge)
    check_distances(geometry.positions[None], molecule, where=where)
    return geometry, molecule, where


def sample_wigner(
    minimum: Geometry,
    molecule: Molecule,
    *,
    number: int,
    temperature_k: float,
    low_modes: LowModes,
    seed: int,
    where: str,
) -> Samples:
    """Draw the samples 0 to ``number`` − 1 about a minimum; a run with this seed starts there too.

    Parameters
    ----------
    minimum, molecule, where
        As :func:`read_minimum` gives them.
    number
        How many.
    temperature_k, low_modes, seed
        See :func:`~namd.sampling.wigner.wigner_sample`.

    Raises
    ------
    DataError, PhysicsError
        As :func:`~namd.sampling.vibrations.wigner_points`.
    """
    made = wigner_points(
        minimum,
        molecule,
        np.arange(number),
        temperature_k=temperature_k,
        low_modes=low_modes,
        seed=seed,
        where=where,
    )
    return Samples(
        molecule=molecule,
        positions=made.positions,
        velocities=made.velocities,
        method="wigner",
        seed=seed,
        notes=made.notes,
    )


def sample_boltzmann(
    geometry: Geometry,
    molecule: Molecule,
    *,
    number: int,
    temperature_k: float,
    low_modes: LowModes | None,
    seed: int,
    where: str,
) -> Samples:
    """Draw thermal samples 0 to ``number`` − 1, without total linear and angular momentum.

    Parameters
    ----------
    geometry, molecule, where
        As :func:`read_minimum` gives them.
    number
        How many.
    temperature_k, low_modes, seed
        See :func:`~namd.sampling.thermal.thermal_points`; without ``low_modes`` all samples stay
        at the geometry.

    Raises
    ------
    DataError, PhysicsError
        As :func:`~namd.sampling.thermal.thermal_points`.
    """
    made = thermal_points(
        geometry,
        molecule,
        np.arange(number),
        temperature_k=temperature_k,
        low_modes=low_modes,
        seed=seed,
        where=where,
    )
    return Samples(
        molecule=molecule,
        positions=made.positions,
        velocities=made.velocities,
        method="boltzmann",
        seed=seed,
        notes=made.notes,
    )

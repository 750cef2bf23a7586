"""Paths through configuration space: torsion scans, interpolations, and what is added to them.

A scan is a path (one geometry, a rigid or relaxed torsion, or a way between two geometries), on
which every point may be pyramidalised at an atom by several angles, and every frame so made be
copied with Gaussian noise. All its frames are one group: neighbours must not be split between
training and test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.constraints import FixInternals
from jaxtyping import Float

from namd import __version__
from namd.data.frames import Frames
from namd.errors import DataError
from namd.molecule import Molecule
from namd.potentials.calculator import Electronics
from namd.random import Stream, normals
from namd.sampling.geometry import check_distances
from namd.sampling.internal_coordinates import Quartet, set_pyramidalisation, set_torsion
from namd.sampling.relaxation import FORCE_TOLERANCE, MAX_STEPS, relax_state


@dataclass(frozen=True, kw_only=True)
class Pyramidalisation:
    """What is done to every point of a path.

    Parameters
    ----------
    atom, anchor
        See :func:`~namd.sampling.internal_coordinates.set_pyramidalisation`.
    angles
        Radians.
    """

    atom: int
    anchor: int
    angles: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Gaussian displacements of all coordinates.

    Parameters
    ----------
    width
        Standard deviation of a coordinate, Bohr.
    copies
        Of every frame, beside the frame itself.
    seed
        Copies of a frame do not depend on how many frames there are.
    """

    width: float
    copies: int
    seed: int


def rigid_torsion(
    molecule: Molecule,
    start: Float[np.ndarray, "atom 3"],
    atoms: Quartet,
    *,
    angles: Sequence[float],
) -> Float[np.ndarray, "point atom 3"]:
    """Turn about one bond and leave everything else as it is.

    Parameters
    ----------
    molecule, start, atoms
        As for :func:`~namd.sampling.internal_coordinates.set_torsion`.
    angles
        Of the points, radians.

    Raises
    ------
    ConfigError
        If nothing can be turned about this bond.
    """
    return np.stack([set_torsion(molecule, start, atoms, angle=angle) for angle in angles])


def relaxed_torsion(
    electronics: Electronics,
    molecule: Molecule,
    start: Float[np.ndarray, "atom 3"],
    atoms: Quartet,
    *,
    angles: Sequence[float],
    state: int,
    tolerance: float = FORCE_TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Float[np.ndarray, "point atom 3"]:
    """Turn about one bond step by step; everything else relaxes on one state at each.

    Parameters
    ----------
    electronics
        Energies and gradients.
    molecule, start, atoms, angles
        As for :func:`rigid_torsion`; each point starts from the one before.
    state
        0-based.
    tolerance, max_steps
        As for :func:`~namd.sampling.relaxation.relax_state`.

    Raises
    ------
    ConfigError
        If nothing can be turned about this bond, or there is no such state.
    PhysicsError
        If a point does not relax.
    """
    points = []
    place = start
    for angle in angles:
        turned = set_torsion(molecule, place, atoms, angle=angle)
        fixed = FixInternals(dihedrals_deg=[[float(np.degrees(angle)) % 360.0, list(atoms)]])
        place = relax_state(
            electronics,
            molecule.atomic_numbers,
            turned,
            state=state,
            tolerance=tolerance,
            max_steps=max_steps,
            constraints=(fixed,),
        ).positions
        points.append(place)
    return np.stack(points)


def make_scan(
    path: Float[np.ndarray, "point atom 3"],
    molecule: Molecule,
    *,
    source: str,
    group: str,
    pyramidalise: Pyramidalisation | None = None,
    noise: Noise | None = None,
    record: dict[str, Any] | None = None,
) -> Frames:
    """Make frames of a path.

    Parameters
    ----------
    path
        Points, Bohr.
    molecule
        Of all of them.
    source, group
        Of all frames.
    pyramidalise, noise
        What is added.
    record
        Of how it was made, for the provenance.

    Returns
    -------
    Frames
        Along the path for each angle of pyramidalisation; then the noisy copies, path by path.
        Frames in which two atoms lie on top of each other are left out.

    Raises
    ------
    ConfigError
        If an atom cannot be pyramidalised.
    DataError
        If no frame is left.
    """
    made = path
    if pyramidalise is not None:
        made = np.stack(
            [
                set_pyramidalisation(
                    molecule,
                    point,
                    atom=pyramidalise.atom,
                    anchor=pyramidalise.anchor,
                    angle=angle,
                )
                for angle in pyramidalise.angles
                for point in path
            ]
        )
    if noise is not None:
        made = np.concatenate([made, _noisy(made, noise)])
    sound = [k for k, frame in enumerate(made) if _is_sound(frame, molecule)]
    if not sound:
        raise DataError(
            "in every frame of the scan two atoms lie on top of each other",
            where=source,
            hint="start from another geometry, or relax the scan",
        )
    step = {
        "step": source,
        "namd": __version__,
        **(record or {}),
        "left_out": len(made) - len(sound),
    }
    return Frames(
        molecule=molecule,
        positions=made[sound],
        group=np.full(len(sound), group),
        source=np.full(len(sound), source),
        provenance={"steps": [step]},
    )


def _noisy(
    frames: Float[np.ndarray, "frame atom 3"], noise: Noise
) -> Float[np.ndarray, "copy atom 3"]:
    size = frames[0].size
    draws = normals(
        np.arange(len(frames)), count=noise.copies * size, seed=noise.seed, stream=Stream.NOISE
    )
    moved = noise.width * draws.reshape(len(frames), noise.copies, *frames.shape[1:])
    copies = (frames[:, None] + moved).swapaxes(0, 1)
    return np.asarray(copies.reshape(-1, *frames.shape[1:]))


def _is_sound(positions: Float[np.ndarray, "atom 3"], molecule: Molecule) -> bool:
    try:
        check_distances(positions[None], molecule, where="scan")
    except DataError:
        return False
    return True

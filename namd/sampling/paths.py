"""Geometries between two given ones.

``cartesian`` goes straight, after the second has been laid upon the first (Kabsch); atoms may come
too close where a part turns. ``distances`` lets the interatomic distances go straight as well as
three coordinates per atom allow, short ones first (weights r⁻⁴): the image-dependent pair potential
(IDPP) of ASE.

References
----------
W. Kabsch, Acta Cryst. A 32, 922 (1976), DOI 10.1107/S0567739476001873.
S. Smidstrup, A. Pedersen, K. Stokbro, H. Jónsson, J. Chem. Phys. 140, 214106 (2014),
DOI 10.1063/1.4878664.
"""

import numpy as np
from ase import Atoms
from ase.mep import NEB
from ase.mep.neb import idpp_interpolate
from jaxtyping import Float, Int

from namd.errors import ConfigError
from namd.units import ANGSTROM_PER_BOHR

IDPP_FORCE = 0.01
"""Of the pair potential, in its own units; a smooth path needs no more."""
IDPP_STEPS = 2000


def aligned(
    positions: Float[np.ndarray, "atom 3"], *, to: Float[np.ndarray, "atom 3"]
) -> Float[np.ndarray, "atom 3"]:
    """Lay a geometry upon another one, atom on atom, without reflection (Bohr, no masses)."""
    centre, goal = positions.mean(axis=0), to.mean(axis=0)
    u, _, vt = np.linalg.svd((positions - centre).T @ (to - goal))
    hand = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return np.asarray((positions - centre) @ (u * hand) @ vt + goal)


def interpolated(
    atomic_numbers: Int[np.ndarray, " atom"],
    start: Float[np.ndarray, "atom 3"],
    end: Float[np.ndarray, "atom 3"],
    *,
    points: int,
    method: str,
) -> Float[np.ndarray, "point atom 3"]:
    """Path between two geometries, both ends included.

    Parameters
    ----------
    atomic_numbers
        Of both: atom k of one becomes atom k of the other.
    start, end
        Bohr. ``end`` is laid upon ``start``.
    points
        At least two.
    method
        ``cartesian`` or ``distances``.

    Raises
    ------
    ConfigError
        If there are fewer than two points.
    """
    if points < 2:
        raise ConfigError(
            f"{points} points make no path", where="--points", hint="ask for two or more"
        )
    end = aligned(end, to=start)
    way = np.linspace(0.0, 1.0, points)[:, None, None]
    straight: np.ndarray = start + way * (end - start)
    if method == "cartesian" or points == 2:
        return straight
    images = [Atoms(atomic_numbers, image * ANGSTROM_PER_BOHR) for image in straight]
    band = NEB(images, method="improvedtangent")
    idpp_interpolate(band, traj=None, log=None, fmax=IDPP_FORCE, steps=IDPP_STEPS)
    return np.stack([image.positions for image in images]) / ANGSTROM_PER_BOHR

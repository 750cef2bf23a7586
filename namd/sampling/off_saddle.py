"""A step off a saddle point along one of its modes, to where a relaxation finds the minimum.

A relaxation keeps the symmetry it begins with: from a planar molecule it ends at the best planar
one, which may be a maximum of the torsions of its rings.
"""

import numpy as np
from jaxtyping import Float

from namd.errors import ConfigError
from namd.sampling.normal_modes import NormalModes
from namd.units import ANGSTROM_PER_BOHR

LARGEST_STEP_ANGSTROM = 0.3
"""Of the atom that moves most: a phenyl ring turns by 12°."""


def off_saddle(modes: NormalModes, mode: int) -> Float[np.ndarray, "atom 3"]:
    """Stationary point displaced along one mode, Bohr.

    Parameters
    ----------
    modes
        Of the stationary point.
    mode
        Number of the mode, 0 for the lowest, i.e. the most imaginary one.

    Raises
    ------
    ConfigError
        If there is no such mode.
    """
    if mode >= len(modes.vectors):
        raise ConfigError(
            f"there is no mode {mode}",
            where="--off-mode",
            hint=f"the geometry has {len(modes.vectors)}, numbered from 0 upwards in wavenumber",
        )
    direction = modes.vectors[mode] / np.sqrt(modes.masses)[:, None]
    longest = np.linalg.norm(direction, axis=1).max()
    step = LARGEST_STEP_ANGSTROM / ANGSTROM_PER_BOHR / float(longest)
    displaced: Float[np.ndarray, "atom 3"] = modes.positions + step * direction
    return displaced

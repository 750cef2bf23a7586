"""Lengths that no molecule has, and the unit they were probably in.

The nearest neighbour of an atom lies about a sum of covalent radii away. The median of that ratio
over the atoms of a frame hardly changes from one geometry of a molecule to another, but a length
converted once too often or too seldom multiplies it by a power of a = 0.529 (Å per Bohr): 1.89,
0.53, 0.28, …; such powers are so far apart that the nearest one names the slip, frame by frame.
"""

import numpy as np
from ase.data import covalent_radii
from jaxtyping import Float, Int

from namd.data.distances import nearest_neighbours
from namd.units import ANGSTROM_PER_BOHR

BOND_RATIO = (0.65, 1.6)
"""Bounds of the ratio in a frame in Bohr. Ångström read as Bohr give 0.53 of the true value, Bohr
read as Ångström 1.89."""
_UNAMBIGUOUS = 0.25
"""Largest distance of ln(ratio) from that of a power of a; powers are 0.64 apart."""


def bond_ratios(
    positions: Float[np.ndarray, "frame atom 3"], atomic_numbers: Int[np.ndarray, " atom"]
) -> Float[np.ndarray, " frame"]:
    """Median over the atoms of nearest distance over sum of covalent radii (about 1).

    Parameters
    ----------
    positions
        Bohr; at least two atoms.
    atomic_numbers
        Z of every atom.

    Returns
    -------
    numpy.ndarray
        NaN where a position is not finite.
    """
    ratios: np.ndarray = np.median(_nearest_ratios(positions, atomic_numbers), axis=1)
    return ratios


def length_slips(
    positions: Float[np.ndarray, "frame atom 3"], atomic_numbers: Int[np.ndarray, " atom"]
) -> Int[np.ndarray, " frame"]:
    """Find the power n of a = 0.529 by which the lengths of each frame were multiplied.

    Frames are compared with the median of those that look right, or with the covalent radii where
    none does, and undoing the slip must put every atom at a usual distance: two atoms that collide
    are none. Two atoms may well be drawn apart: of a diatomic only n > 0 is told.

    Parameters
    ----------
    positions, atomic_numbers
        As of :func:`bond_ratios`; a single atom has no lengths.

    Returns
    -------
    numpy.ndarray
        0 where the lengths are right or no power explains them; positions in Bohr are
        ``positions / ANGSTROM_PER_BOHR**n``.
    """
    slips = np.zeros(len(positions), dtype=np.int64)
    if len(atomic_numbers) < 2:
        return slips
    nearest_ratios = _nearest_ratios(positions, atomic_numbers)
    ratios = np.median(nearest_ratios, axis=1)
    low, high = BOND_RATIO[0], BOND_RATIO[1] if len(atomic_numbers) > 2 else np.inf
    right = (ratios >= low) & (ratios <= high)
    reference = np.median(ratios[right]) if right.any() else 1.0
    wrong = np.flatnonzero(~right & (ratios > 0))  # false where NaN
    powers = np.log(ratios[wrong] / reference) / np.log(ANGSTROM_PER_BOHR)
    nearest = np.rint(powers)
    clear = np.abs(powers - nearest) * -np.log(ANGSTROM_PER_BOHR) < _UNAMBIGUOUS
    clear &= np.abs(nearest) <= 2
    mended = nearest_ratios[wrong] * ANGSTROM_PER_BOHR ** -nearest[:, None]
    clear &= ((mended >= low) & (mended <= high)).all(axis=1)
    slips[wrong[clear]] = nearest[clear].astype(np.int64)
    return slips


def _nearest_ratios(
    positions: Float[np.ndarray, "frame atom 3"], atomic_numbers: Int[np.ndarray, " atom"]
) -> Float[np.ndarray, "frame atom"]:
    """Nearest distance over sum of covalent radii of every atom; NaN in frames with NaN."""
    ratios = np.full(positions.shape[:2], np.nan)
    known = np.isfinite(positions).all(axis=(1, 2))
    distance, partner = nearest_neighbours(positions[known])
    radii = covalent_radii[atomic_numbers] / ANGSTROM_PER_BOHR
    ratios[known] = distance / (radii[None] + radii[partner])
    return ratios

"""Geometries no molecule has: slipped units, atoms on top of each other, strange bond lengths."""

import numpy as np

from namd.data.dataset import Dataset
from namd.data.distances import nearest_neighbours
from namd.data.finding import Finding, hits
from namd.data.lengths import BOND_RATIO, bond_ratios, length_slips
from namd.units import ANGSTROM_PER_BOHR

CLOSEST_ATOMS = 0.4 / ANGSTROM_PER_BOHR
"""Atoms nearer than this (0.4 Å, in Bohr) lie on top of each other."""


def find_length_slips(dataset: Dataset) -> list[Finding]:
    """Find frames whose lengths were multiplied by a power of 0.529, see :mod:`namd.data.lengths`.

    Parameters
    ----------
    dataset
        Any dataset.

    Returns
    -------
    list of Finding
        One error per power.
    """
    if len(dataset.molecule) < 2:
        return []
    positions, numbers = dataset["positions"], dataset.molecule.atomic_numbers
    slip = length_slips(positions, numbers)
    ratio = bond_ratios(positions, numbers)
    return [
        finding
        for power in np.unique(slip[slip != 0]).tolist()
        for finding in hits(
            slip == power,
            kind="unit-slip",
            severity="error",
            name="positions",
            message=f"bonds have {np.median(ratio[slip == power]):.2f} times their usual length: "
            f"the positions are not in Bohr but were multiplied by {ANGSTROM_PER_BOHR:.4f}"
            + (" (they are in Å)" if power == 1 else f"^{power}"),
            hint="convert them (1 Å = 1.8897 Bohr); some files mix units from frame to frame",
            fixable=True,
        )
    ]


def find_impossible_geometries(dataset: Dataset) -> list[Finding]:
    """Find slipped lengths, atoms nearer than :data:`CLOSEST_ATOMS` and bonds of a strange length.

    Parameters
    ----------
    dataset
        Any dataset; frames with NaN are passed over.

    Returns
    -------
    list of Finding
        Errors; a frame belongs to one of them at most.
    """
    if len(dataset.molecule) < 2:
        return []
    positions, numbers = dataset["positions"], dataset.molecule.atomic_numbers
    ratio, slip = bond_ratios(positions, numbers), length_slips(positions, numbers)
    known = np.flatnonzero(np.isfinite(positions).all(axis=(1, 2)) & (slip == 0))
    distance, partner = nearest_neighbours(positions[known])
    on_top = np.zeros(len(dataset), dtype=bool)
    on_top[known] = (distance < CLOSEST_ATOMS).any(axis=1)
    found = find_length_slips(dataset)
    if on_top.any():
        worst = int(np.flatnonzero(on_top[known])[0])
        atom = int(distance[worst].argmin())
        other = int(partner[worst, atom])
        symbols = dataset.molecule.symbols
        found += hits(
            on_top,
            kind="atoms-on-top",
            severity="error",
            name="positions",
            message=f"atoms {atom} ({symbols[atom]}) and {other} ({symbols[other]}) are "
            f"{distance[worst, atom] * ANGSTROM_PER_BOHR:.2f} Å apart in frame {known[worst]}",
            hint="leave these frames out, or check the unit of the positions (Bohr is expected)",
        )
    # Two atoms may well be drawn apart; of three or more, half stay bonded to something.
    upper = BOND_RATIO[1] if len(dataset.molecule) > 2 else np.inf
    wrong = ((ratio < BOND_RATIO[0]) | (ratio > upper)) & ~on_top & (slip == 0)
    if wrong.any():
        worst = int(np.flatnonzero(wrong)[0])
        found += hits(
            wrong,
            kind="bond-length",
            severity="error",
            name="positions",
            message=f"bonds have {ratio[worst]:.2f} times their usual length in frame {worst}: "
            "the positions are not in Bohr, nor in a unit that can be guessed",
            hint="convert them (1 Å = 1.8897 Bohr), or leave these frames out",
        )
    return found

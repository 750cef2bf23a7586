"""Put several datasets of the same molecule, states and level of theory one after the other."""

from collections.abc import Sequence

import numpy as np

from namd.data.dataset import Dataset
from namd.errors import DataError


def concatenate(datasets: Sequence[Dataset]) -> Dataset:
    """Join datasets along the frame axis.

    Parameters
    ----------
    datasets
        At least one. Arrays that only some of them have are left out.

    Returns
    -------
    Dataset
        With the title, licence and provenance of the first.

    Raises
    ------
    DataError
        If atoms, charge, states, multiplicity or level of theory differ, or two datasets use the
        same group name, for then a split could no longer tell their trajectories apart.
    """
    if not datasets:
        raise DataError("there is nothing to join", where="datasets")
    first = datasets[0]
    taken: set[str] = set()
    for number, other in enumerate(datasets, start=1):
        refuse_strangers(other, first, where=f"dataset {number}")
        groups = set(other["group"].tolist())
        if shared := taken & groups:
            raise DataError(
                f"the group '{min(shared)}' is in an earlier dataset too",
                where=f"dataset {number}",
                hint="rename the file or folder the group is named after",
            )
        taken |= groups
    names = [name for name in first if all(name in other for other in datasets)]
    arrays = {name: np.concatenate([other[name] for other in datasets]) for name in names}
    return Dataset(
        molecule=first.molecule,
        states=first.states,
        level_of_theory=first.level_of_theory,
        arrays=arrays,
        multiplicity=first.multiplicity,
        title=first.title,
        licence=first.licence,
        provenance=first.provenance,
    )


def refuse_strangers(other: Dataset, first: Dataset, *, where: str) -> None:
    """Refuse labels of something else than those of ``first``.

    Parameters
    ----------
    other, first
        What is to be joined.
    where
        Names ``other`` in the message.

    Raises
    ------
    DataError
        If atoms, charge, states, multiplicity or level of theory differ.
    """
    for what, ours, theirs in (
        ("atoms", first.molecule.symbols, other.molecule.symbols),
        ("charge", first.molecule.charge, other.molecule.charge),
        ("states", first.states.labels, other.states.labels),
        ("multiplicity", first.multiplicity, other.multiplicity),
        ("level of theory", first.level_of_theory, other.level_of_theory),
    ):
        if ours != theirs:
            raise DataError(
                f"the {what} differ: {theirs} here, {ours} in the first",
                where=where,
                hint="join only labels of one molecule at one level of theory",
            )

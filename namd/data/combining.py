"""Put several datasets of the same molecule, states and level of theory one after the other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from namd.data.dataset import Dataset
from namd.errors import DataError

_COUPLINGS = ("interstate_coupling", "nonadiabatic_coupling")


def concatenate(datasets: Sequence[Dataset]) -> Dataset:
    """Join datasets along the frame axis.

    Parameters
    ----------
    datasets
        At least one. Arrays that only some of them have are left out; couplings are brought into
        the convention of the first (:func:`couplings_like`).

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
    datasets = [couplings_like(dataset, first) for dataset in datasets]
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


def couplings_like(dataset: Dataset, first: Dataset) -> Dataset:
    """Store couplings as another dataset does, as d, as h or as both.

    Parameters
    ----------
    dataset
        Comes back as it is if it has no couplings.
    first
        Whose convention is wanted; if it has no couplings, every one will do.
    """
    wanted = [name for name in _COUPLINGS if name in first]
    present = [name for name in _COUPLINGS if name in dataset]
    if not wanted or not present or wanted == present:
        return dataset
    arrays = {name: array for name, array in dataset.arrays.items() if name not in _COUPLINGS}
    arrays |= {name: getattr(dataset, name) for name in wanted}
    return replace(dataset, arrays=arrays)


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

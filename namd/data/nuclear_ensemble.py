"""Find the nuclear ensemble in a file: energies and transition dipoles of sampled geometries.

A labelled dataset may hold much beside the sample of the ground state (trajectories, scans). Frames
whose ``source`` is ``wigner`` are taken where there are any, unless something else is asked for.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from jaxtyping import Float

from namd.data.reading import read_dataset
from namd.errors import DataError
from namd.io.samples import is_samples, read_samples
from namd.molecule import Molecule
from namd.states import StateSpace

SAMPLED = "wigner"


@dataclass(frozen=True, eq=False, kw_only=True)
class NuclearEnsemble:
    """Labels of sampled geometries, atomic units; unknown values are NaN.

    Parameters
    ----------
    molecule, states
        Of all geometries.
    energies, transition_dipoles
        Hartree, e·Bohr.
    level_of_theory
        Of the labels, in words; empty if unknown.
    taken
        Which frames of the file these are, in words.
    assumed
        Nothing was asked for and nothing in the file says that they are a sample.
    """

    molecule: Molecule
    states: StateSpace
    energies: Float[np.ndarray, "sample state"]
    transition_dipoles: Float[np.ndarray, "sample pair 3"]
    level_of_theory: str
    taken: str
    assumed: bool = False

    def __len__(self) -> int:
        return len(self.energies)


def read_nuclear_ensemble(
    path: Path, *, source: str | None = None, group: str | None = None
) -> NuclearEnsemble:
    """Read labelled data, or samples with energies and dipoles.

    Parameters
    ----------
    path
        Labelled dataset (native or plain), or what ``namd sample`` wrote.
    source
        Kind of frames to take; ``wigner`` where there are any, else all, if left out.
    group
        Pattern of the groups to take, with the wildcards ``*`` and ``?``.

    Raises
    ------
    DataError
        If the file cannot be read, holds no transition dipoles, or no frame fits.
    """
    if is_samples(path):
        return _from_samples(path, filtered=source is not None or group is not None)
    dataset = read_dataset(path)
    if "transition_dipoles" not in dataset:
        raise _no_dipoles(path)
    sources, groups = dataset["source"], dataset["group"]
    chosen = source if source is not None else (SAMPLED if SAMPLED in sources else None)
    keep = np.ones(len(dataset), dtype=bool)
    if chosen is not None:
        keep &= sources == chosen
    if group is not None:
        keep &= np.array([fnmatchcase(str(name), group) for name in groups], dtype=bool)
    if not keep.any():
        raise DataError(
            "no frame fits the source and group asked for",
            where=str(path),
            hint=f"sources: {', '.join(sorted(set(sources)))}; groups such as {groups[0]}",
        )
    frames = dataset.select(keep)
    words = [f"source {chosen}"] if chosen is not None else []
    words += [f"groups {group}"] if group is not None else []
    return NuclearEnsemble(
        molecule=dataset.molecule,
        states=dataset.states,
        energies=frames["energies"],
        transition_dipoles=frames["transition_dipoles"],
        level_of_theory=dataset.level_of_theory,
        taken=", ".join(words) or "all frames",
        assumed=not words,
    )


def _from_samples(path: Path, *, filtered: bool) -> NuclearEnsemble:
    samples = read_samples(path)
    if filtered:
        raise DataError(
            "samples have neither sources nor groups", where=str(path), hint="leave these out"
        )
    if samples.states is None or samples.energies is None or samples.transition_dipoles is None:
        raise _no_dipoles(path)
    return NuclearEnsemble(
        molecule=samples.molecule,
        states=samples.states,
        energies=samples.energies,
        transition_dipoles=samples.transition_dipoles,
        level_of_theory=samples.potential.get("name", ""),
        taken=f"{samples.method} sample",
    )


def _no_dipoles(path: Path) -> DataError:
    return DataError(
        "the file holds no transition dipoles",
        where=f"{path}  transition_dipoles",
        hint="a spectrum needs energies and transition dipoles of sampled geometries: label them "
        "with a method that gives both",
    )

"""Bring labelled data from foreign files into one :class:`~namd.data.dataset.Dataset`.

The formats are those of :mod:`namd.data.formats.registry`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from namd import __version__
from namd.data.checks import check_dataset
from namd.data.combining import concatenate
from namd.data.dataset import Dataset
from namd.data.formats.registry import format_of_content
from namd.data.formats.stated import Stated
from namd.errors import DataError
from namd.states import StateSpace


def gather(
    paths: Sequence[Path],
    *,
    stated: Stated | None = None,
    states: Sequence[str] | None = None,
    title: str | None = None,
    licence: str | None = None,
) -> Dataset:
    """Read files of any known kind and join them.

    Parameters
    ----------
    paths
        Files of any format of the registry, told by their content.
    stated
        Level of theory and charge, which replace what was read; units, and which frames to take
        of every file.
    states, title, licence
        What the files do not say, or say wrongly: these replace what was read.

    Returns
    -------
    Dataset
        All frames; ``provenance["steps"]`` ends with the names and SHA-256 digests of the files.

    Raises
    ------
    DataError
        If a file cannot be read or is of no known kind, its numbers cannot be right, the level of
        theory stays unknown, the number of labels is not that of the states, or the files do not
        fit together.
    """
    stated = Stated() if stated is None else stated
    datasets = []
    for path in paths:
        dataset = format_of_content(path).read(path, stated)
        if states is not None and len(states) != len(dataset.states):
            raise DataError(
                f"{len(states)} state labels are given ({' '.join(states)}), "
                f"the file has {len(dataset.states)} states",
                where=f"{path}  energies",
                hint="give one label per state, in ascending energy",
            )
        dataset = replace(
            dataset,
            molecule=replace(
                dataset.molecule,
                charge=dataset.molecule.charge if stated.charge is None else stated.charge,
            ),
            states=dataset.states if states is None else StateSpace(tuple(states)),
            level_of_theory=(stated.level_of_theory or dataset.level_of_theory).strip(),
            title=dataset.title if title is None else title,
            licence=dataset.licence if licence is None else licence,
        )
        check_dataset(dataset, path=path, require_forces=False)
        datasets.append(dataset)
    joined = concatenate(datasets)
    steps = [*joined.provenance.get("steps", []), _record(paths)]
    return replace(joined, provenance={**joined.provenance, "steps": steps})


def _record(paths: Sequence[Path]) -> dict[str, Any]:
    return {
        "step": "convert",
        "namd": __version__,
        "inputs": [
            {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in paths
        ],
    }

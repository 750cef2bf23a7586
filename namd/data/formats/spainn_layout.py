"""Labels in the rows of SPaiNN's and SchNarc's databases (:mod:`namd.data.formats.ase_db`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from namd.data.dataset import Dataset
from namd.errors import DataError
from namd.states import StateSpace

UNITS = {
    "distance": "bohr",
    "energy": "hartree",
    "forces": "hartree/bohr",
    "nacs": "1/bohr",
    "smooth_nacs": "hartree/bohr",
    "dipoles": "e*bohr",
}
"""Quantities of the layout that have a unit, and their atomic unit."""
HELD = frozenset(
    (
        "positions",
        "energies",
        "forces",
        "nonadiabatic_coupling",
        "interstate_coupling",
        "dipoles",
        "transition_dipoles",
    )
)
"""Properties the layout has a place for."""

_LARGEST_MISMATCH = 1e-3
"""Of −smooth_nacs against (E_j − E_i)·nacs, relative to the larger."""


@dataclass(frozen=True)
class Labels:
    """Rows of one of the two layouts.

    Parameters
    ----------
    rows
        Of :mod:`ase.db`.
    state_first
        SchNarc's order of axes.
    states
        As many singlets as there are energies.
    where
        The file, for messages.
    """

    rows: Sequence[Any]
    state_first: bool
    states: StateSpace
    where: str

    @property
    def ids(self) -> Int[np.ndarray, " frame"]:
        """Number of every row in its database, from 1."""
        return np.array([row.id for row in self.rows], dtype=np.int64)

    @property
    def energies(self) -> Float[np.ndarray, "frame state"]:
        """Energies in the unit of the file."""
        count = len(self.states)
        return self.stack("energy", (count,) if self.state_first else (1, count)).reshape(-1, count)

    def __contains__(self, key: object) -> bool:
        return any(key in row.data for row in self.rows)

    def stack(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        """Values of all rows, each of that shape."""
        for row in self.rows:
            if key not in row.data:
                raise DataError(f"row {row.id} has no '{key}'", where=self.where)
            found = np.shape(row.data[key])
            if found != shape:
                raise DataError(
                    f"'{key}' of row {row.id} has the shape {list(found)}, expected {list(shape)}",
                    where=self.where,
                    hint="expected is the layout of SPaiNN, or of SchNarc where 'energy' has one "
                    "axis",
                )
        return np.array([row.data[key] for row in self.rows], dtype=np.float64)

    def vectors(self, key: str, number: int) -> Float[np.ndarray, "frame state_or_pair atom 3"]:
        """One vector per atom and state or pair."""
        atoms = len(self.rows[0].numbers)
        if self.state_first:
            return self.stack(key, (number, atoms, 3))
        return np.swapaxes(self.stack(key, (atoms, number, 3)), 1, 2)


def labels_of(rows: Sequence[Any], *, where: str) -> Labels:
    """Tell the layout of rows by the shape of their energies.

    Raises
    ------
    DataError
        If it is none of the two, or rows differ.
    """
    shape = np.shape(rows[0].data.get("energy"))
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[0] != 1):
        raise DataError(
            f"'energy' of row {rows[0].id} has the shape {list(shape)}, expected [1, state] "
            "(SPaiNN) or [state] (SchNarc)",
            where=where,
            hint="this reader is for databases with several states",
        )
    states = StateSpace.singlets(shape[-1])
    return Labels(rows, state_first=len(shape) == 1, states=states, where=where)


def couplings(
    layout: Labels,
    energies: Float[np.ndarray, "frame state"],
    *,
    units: Mapping[str, float],
    kept: Sequence[str] | None,
) -> dict[str, np.ndarray]:
    """Couplings in atomic units: d where there are ``nacs``, else h of ``smooth_nacs``.

    Parameters
    ----------
    layout
        The rows.
    energies
        Hartree.
    units
        Factors to atomic units.
    kept
        Names to give back, where our own metadata name them.

    Raises
    ------
    DataError
        If ``smooth_nacs`` are not (E_i − E_j)·``nacs``; it names the rows.
    """
    pairs = layout.states.pairs
    found = {
        key: layout.vectors(key, len(pairs)) * units[key]
        for key in ("nacs", "smooth_nacs")
        if key in layout and pairs
    }
    if len(found) == 2:
        gaps = np.stack([energies[:, j] - energies[:, i] for i, j in pairs], axis=1)
        expected = found["nacs"] * gaps[:, :, None, None]
        differing = np.nan_to_num(np.abs(found["smooth_nacs"] + expected)).max(axis=(1, 2, 3))
        scale = np.nan_to_num(np.maximum(abs(found["smooth_nacs"]), abs(expected)))
        bad = differing > _LARGEST_MISMATCH * scale.max(axis=(1, 2, 3))
        if bad.any():
            raise DataError(
                "'smooth_nacs' is not (E_i − E_j)·nacs: one of them, or a unit, is wrong",
                where=f"{layout.where}  rows {ranges(layout.ids[bad])}",
                hint="are 'nacs' ⟨i|∇H|j⟩ there? They must be d = ⟨i|∇ j⟩",
            )
    arrays = {}
    if "nacs" in found and (kept is None or "nonadiabatic_coupling" in kept):
        arrays["nonadiabatic_coupling"] = found["nacs"]
    if "smooth_nacs" in found and (
        "nacs" not in found if kept is None else "interstate_coupling" in kept
    ):
        arrays["interstate_coupling"] = -found["smooth_nacs"]
    return arrays


def dipoles(layout: Labels, *, unit: float, kept: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Permanent and transition dipoles in atomic units; ``kept`` as in :func:`couplings`."""
    if "dipoles" not in layout:
        return {}
    count = len(layout.states)
    first, second = np.triu_indices(count)
    values = layout.stack("dipoles", (len(first), 3)) * unit
    parts = {"dipoles": first == second, "transition_dipoles": first != second}
    return {name: values[:, part] for name, part in parts.items() if kept is None or name in kept}


def columns_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """Labels of a dataset in SPaiNN's names, shapes and signs, atomic units; NaN is unknown."""
    columns = {
        "energy": dataset["energies"][:, None],
        "forces": np.swapaxes(dataset["forces"], 1, 2),
    }
    if dataset.has_coupling:
        columns["nacs"] = np.swapaxes(dataset.nonadiabatic_coupling, 1, 2)
        columns["smooth_nacs"] = -np.swapaxes(dataset.interstate_coupling, 1, 2)
    if "dipoles" in dataset or "transition_dipoles" in dataset:
        first, second = np.triu_indices(len(dataset.states))
        columns["dipoles"] = np.full((len(dataset), len(first), 3), np.nan)
        for name, part in (("dipoles", first == second), ("transition_dipoles", first != second)):
            if name in dataset:
                columns["dipoles"][:, part] = dataset[name]
    return columns


def ranges(numbers: Int[np.ndarray, " row"]) -> str:
    """Sorted numbers as ``1-10, 12``."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1)
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)

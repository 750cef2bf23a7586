"""One group of a SHNITSEL file: the frames of a trajectory, or of several in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from namd.data.formats.shnitsel_layout import (
    COLUMNS,
    FRAME_DIMENSIONS,
    attributes_of,
    axes_of,
    factor,
)
from namd.data.formats.stated import Stated
from namd.data.plain import UNGROUPED
from namd.errors import DataError
from namd.io.netcdf import dimensions, is_variable, read_variable
from namd.schema import PROPERTIES
from namd.states import StateSpace

_NEEDED = ("energy", "forces", "atNums")
_TRAJECTORY = ("atrajectory", "trajid", "trajid_")
"""Number of the trajectory of each frame, where several stand in one table."""
_PARTS = ("real", "imag")
_NOT_MISSED = {"astate", "sdiag", "frame", "frame_number", "group", "source", *_TRAJECTORY}


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """What one group holds, atomic units.

    Parameters
    ----------
    numbers, charge, labels, multiplicity, level_of_theory
        Atoms, states and method.
    arrays
        By the names of our properties.
    assumed, left
        Variables whose unit was taken for granted, and those without a place.
    where
        For messages.
    """

    numbers: tuple[int, ...]
    charge: int
    labels: tuple[str, ...]
    multiplicity: int
    level_of_theory: str
    arrays: Mapping[str, np.ndarray]
    assumed: tuple[str, ...]
    left: tuple[str, ...]
    where: str

    def __len__(self) -> int:
        return len(self.arrays["positions"])


def read_leaf(group: h5py.Group, stated: Stated, *, place: str, ours: bool) -> Leaf:
    """Read a group with positions.

    Parameters
    ----------
    group
        Of an open file.
    stated
        Units that replace those of the file.
    place
        Name of its trajectory, unless it tells one.
    ours
        Whether we wrote it: then it may hold further properties under our names, and zeros are
        zeros.

    Raises
    ------
    DataError
        If something is missing, has other axes, or an unknown unit.
    """
    table = _Table(group)
    for name in _NEEDED:
        if name not in table.variables:
            raise DataError(
                f"there is no '{name}'",
                where=table.where,
                hint=f"present: {', '.join(sorted(table.variables))}",
            )
    attributes = attributes_of(group)
    labels, multiplicity = _states(table)
    arrays, assumed = {}, []
    for name, column in COLUMNS.items():
        if name not in table.variables or (name == "time" and table.frames not in table.axes(name)):
            continue
        told = stated.units.get(name) or str(table.attribute(name, "units"))
        found, scale, guessed = factor(name, told, where=table.where)
        values = table.take(name, axes_of(PROPERTIES[column.ours], frames=table.frames))
        values = values.astype(np.float64) * scale
        if "statecomb" in table.axes(name):
            values = table.by_pair(values, odd=name == "nacs", count=len(labels))
        arrays[found] = values
        assumed += [name] * guessed
    if "astate" in table.variables:
        arrays["active_state"] = table.numbered_states("astate")
    arrays |= _own(table) if ours else {}
    if not ours:
        arrays = _unknown_as_nan(arrays)
    arrays |= _names(table, attributes, place=place)
    taken = arrays.keys() | {f"{name}_{part}" for name in arrays for part in _PARTS}
    taken |= COLUMNS.keys() | _NOT_MISSED
    return Leaf(
        numbers=tuple(int(z) for z in table.take("atNums", ("atom",))),
        charge=_charge(table, attributes),
        labels=labels,
        multiplicity=multiplicity,
        level_of_theory="/".join(
            str(attributes[key])
            for key in ("est_level", "theory_basis_set")
            if attributes.get(key) not in (None, "")
        ),
        arrays=arrays,
        assumed=tuple(assumed),
        left=tuple(
            name
            for name in table.variables
            if table.frames in table.axes(name) and name not in taken
        ),
        where=table.where,
    )


class _Table:
    """Variables of a group with the names of their axes."""

    def __init__(self, group: h5py.Group) -> None:
        self.variables = {name: item for name, item in group.items() if is_variable(item)}
        self.where = f"{group.file.filename}  {group.name}"
        others = [axis for axis in self.axes("atXYZ") if axis not in ("atom", "direction")]
        if len(others) > 1 or not {"atom", "direction"} <= set(self.axes("atXYZ")):
            raise DataError(
                f"the axes of 'atXYZ' are {', '.join(self.axes('atXYZ'))}, expected "
                f"{' or '.join(FRAME_DIMENSIONS)}, atom, direction",
                where=self.where,
            )
        self.single = not others
        self.frames = others[0] if others else FRAME_DIMENSIONS[1]
        state = self.variables.get("state")
        self.state_numbers = (
            np.arange(1, self.length("energy", "state") + 1)
            if state is None
            else read_variable(state)
        )

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def axes(self, name: str) -> tuple[str, ...]:
        return dimensions(self.variables[name])

    def length(self, name: str, axis: str) -> int:
        """Length of an axis of a variable; 1 of one that it has not."""
        axes = self.axes(name) if name in self else ()
        return int(self.variables[name].shape[axes.index(axis)]) if axis in axes else 1

    def attribute(self, name: str, key: str) -> Any:
        return attributes_of(self.variables[name]).get(key, "")

    def take(self, name: str, wanted: Sequence[str]) -> np.ndarray:
        """Values with the axes in the wanted order; one frame alone need not have the first."""
        axes, values = self.axes(name), read_variable(self.variables[name])
        if self.single and self.frames in wanted:
            axes, values = (self.frames, *axes), values[None]
        if sorted(axes) != sorted(wanted):
            raise DataError(
                f"the axes of '{name}' are {', '.join(axes)}, expected {', '.join(wanted)}",
                where=self.where,
            )
        return np.transpose(values, [axes.index(axis) for axis in wanted])

    def numbered_states(self, name: str) -> np.ndarray:
        """State numbers of the file as places on our state axis, −1 where there is none."""
        wanted = (self.frames,) if name == "astate" else ("statecomb",)
        same = self.take(name, wanted)[:, None] == self.state_numbers
        return np.where(same.any(axis=1), same.argmax(axis=1), -1).astype(np.int64)

    def by_pair(self, values: np.ndarray, *, odd: bool, count: int) -> np.ndarray:
        """Values of the file's pairs as those of ours; ``odd`` ones change sign with the order."""
        if not {"from", "to"} <= self.variables.keys():
            raise DataError("'from' and 'to' of the pairs of states are missing", where=self.where)
        first, second = self.numbered_states("from"), self.numbered_states("to")
        told = list(zip(first.tolist(), second.tolist(), strict=True))
        pairs = StateSpace.singlets(count).pairs
        result = np.full((len(values), len(pairs), *values.shape[2:]), np.nan)
        for number, (i, j) in enumerate(pairs):
            if (i, j) in told:
                result[:, number] = values[:, told.index((i, j))]
            elif (j, i) in told:
                turned = values[:, told.index((j, i))]
                result[:, number] = -turned if odd else turned
        return result


def _states(table: _Table) -> tuple[tuple[str, ...], int]:
    """Labels and multiplicity of the states."""
    count = len(table.state_numbers)
    kinds = {1}
    if "state_types" in table:
        kinds = {int(kind) or 1 for kind in table.take("state_types", ("state",))}
    if len(kinds) > 1:
        raise DataError(
            "there are states of several multiplicities, expected one",
            where=f"{table.where}  state_types",
            hint="namd holds states of one multiplicity, in ascending energy",
        )
    names = table.take("state_names", ("state",)).tolist() if "state_names" in table else []
    told = len(set(names)) == count and all(
        name and name == "".join(name.split()) for name in names
    )
    return tuple(names) if told else StateSpace.singlets(count).labels, kinds.pop()


def _charge(table: _Table, attributes: Mapping[str, Any]) -> int:
    told = attributes.get("charge", 0)
    for name in ("charge", "state_charges"):
        if name in table:
            told = np.ravel(read_variable(table.variables[name]))[0]
            break
    return round(float(told)) if np.isfinite(told) else 0


def _own(table: _Table) -> dict[str, np.ndarray]:
    """Properties under our own names."""
    arrays = {}
    held = {column.ours for column in COLUMNS.values()} | {"active_state", "group", "source"}
    for prop in PROPERTIES.values():
        axes = axes_of(prop, frames=table.frames)
        if prop.name in held:
            continue
        if f"{prop.name}_real" in table:
            real, imaginary = (table.take(f"{prop.name}_{part}", axes) for part in _PARTS)
            arrays[prop.name] = real + 1j * imaginary
        elif prop.name in table:
            arrays[prop.name] = table.take(prop.name, axes)
    if "frame_number" in table:
        arrays["frame_number"] = table.take("frame_number", (table.frames,))
    return arrays


def _names(table: _Table, attributes: Mapping[str, Any], *, place: str) -> dict[str, np.ndarray]:
    """Group and source of every frame."""
    count = table.length("atXYZ", table.frames)
    known = {
        name: table.take(name, (table.frames,)) for name in ("group", "source") if name in table
    }
    moving = "traj" if table.frames == FRAME_DIMENSIONS[0] else UNGROUPED
    group = np.full(count, str(attributes.get("group", place)))
    for name in _TRAJECTORY:
        if name in table and table.axes(name) == (table.frames,):
            group = np.array(
                [f"{place}/{number}" for number in read_variable(table.variables[name])]
            )
    source = np.full(count, str(attributes.get("source", moving)))
    return {"group": group, "source": source} | known


def _unknown_as_nan(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Zeros of whole vectors as NaN, and without what is unknown in all frames."""
    for name in ("forces", "nonadiabatic_coupling", "interstate_coupling"):
        if name in arrays:
            computed = (arrays[name] != 0.0).any(axis=(2, 3), keepdims=True)
            arrays[name] = np.where(computed, arrays[name], np.nan)
    needed = ("positions", "energies", "forces")
    return {
        name: values
        for name, values in arrays.items()
        if name in needed or name == "active_state" or not np.isnan(values).all()
    }

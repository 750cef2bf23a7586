"""Names, axes and units of SHNITSEL files (:mod:`namd.data.formats.shnitsel`)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from namd.data.formats.units import to_atomic
from namd.errors import DataError
from namd.schema import PROPERTIES, Property

FRAME_DIMENSIONS = ("time", "frame")
"""What the first axis of a trajectory, and of frames that are none, is called."""

_AXES = {"atom": "atom", "xyz": "direction", "state": "state", "pair": "statecomb"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One variable of the layout.

    Parameters
    ----------
    ours
        Name of the property.
    unit
        Written; the library's standard.
    dimension
        Its word for the kind of quantity.
    meaning
        Written as ``long_name``.
    """

    ours: str
    unit: str
    dimension: str
    meaning: str


COLUMNS: dict[str, Column] = {
    "atXYZ": Column(ours="positions", unit="Bohr", dimension="length", meaning="Positions"),
    "energy": Column(
        ours="energies", unit="Hartree", dimension="energy", meaning="Absolute energy"
    ),
    "forces": Column(
        ours="forces", unit="Hartree/Bohr", dimension="force", meaning="Forces on the atoms"
    ),
    "nacs": Column(
        ours="nonadiabatic_coupling",
        unit="1/Bohr",
        dimension="nacs",
        meaning="Nonadiabatic couplings <i|d/dR j>",
    ),
    "dip_perm": Column(
        ours="dipoles", unit="debye", dimension="dipole", meaning="Permanent dipoles"
    ),
    "dip_trans": Column(
        ours="transition_dipoles", unit="debye", dimension="dipole", meaning="Transition dipoles"
    ),
    "velocities": Column(
        ours="velocities", unit="au", dimension="velocity", meaning="Velocities of the atoms"
    ),
    "e_kin": Column(
        ours="kinetic_energy", unit="Hartree", dimension="energy", meaning="Kinetic energy"
    ),
    "time": Column(ours="time", unit="fs", dimension="time", meaning="Time in the trajectory"),
}
"""Variables with a unit, by their name in the file."""

CANDIDATES: dict[str, tuple[str, ...]] = {
    name: (column.ours,) for name, column in COLUMNS.items()
} | {"nacs": ("nonadiabatic_coupling", "interstate_coupling")}
"""What a variable may be, told by its unit: ``nacs`` of a file are d, or h."""

UNITS: dict[str, tuple[str, ...]] = {
    name: tuple(PROPERTIES[ours].unit for ours in candidates)
    for name, candidates in CANDIDATES.items()
}
"""Atomic units of these."""

_SPELLED = {"a": "angstrom", "bohr_per_fs": "bohr/fs", "bohr_per_atu": "au"}
_STATED = ("atXYZ", "energy", "forces")


def axes_of(prop: Property, *, frames: str) -> tuple[str, ...]:
    """Names of the axes of a property, the one over the frames first."""
    names = [frames]
    for axis in prop.axes:
        name = _AXES.get(axis, axis)
        names.append(f"{name}2" if name in names else name)
    return tuple(names)


def factor(name: str, told: str, *, where: str) -> tuple[str, float, bool]:
    """What a variable is, and how its numbers become atomic ones.

    Parameters
    ----------
    name
        Of the variable.
    told
        Its unit; empty or ``1`` if it is not stated.
    where
        For messages.

    Returns
    -------
    property, factor, assumed
        Its property (``nacs`` in units of a force are h), the factor to atomic units, and whether
        these were taken for granted.

    Raises
    ------
    DataError
        If the unit is none of the quantity, or has to be stated and is not.
    """
    expected = UNITS[name]
    if told in ("", "1"):
        if name in _STATED:
            raise DataError(
                f"the unit of '{name}' is not stated",
                where=where,
                hint=f"say it with --units {name}=UNIT, e.g. --units {name}={expected[0]}",
            )
        return COLUMNS[name].ours, 1.0, True
    unit = _SPELLED.get(told.lower(), told)
    errors = []
    for ours, atomic in zip(CANDIDATES[name], expected, strict=True):
        try:
            return ours, to_atomic(unit, expected=atomic, name=name), False
        except DataError as error:
            errors.append(error)
    raise DataError(errors[0].message, where=where, hint=errors[0].hint)


def attributes_of(item: h5py.Group | h5py.Dataset) -> Mapping[str, Any]:
    """Attributes of a group or variable, with what newer files write as JSON read.

    Unreadable JSON is a text: version 1.0 wrote plain ones.
    """
    return {name: _decoded(value) for name, value in item.attrs.items()}


def as_json(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as newer files have them: every value as JSON."""
    return {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.item() if np.size(value) == 1 else None
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value

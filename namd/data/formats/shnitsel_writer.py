"""Write SHNITSEL files: one group per trajectory, one for frames that belong to none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Int

from namd import __version__
from namd.data.dataset import Dataset
from namd.data.formats.shnitsel_layout import COLUMNS, FRAME_DIMENSIONS, as_json, axes_of
from namd.data.formats.units import to_atomic
from namd.data.walks import trajectory_walks
from namd.io.hdf5 import create_hdf5
from namd.io.netcdf import add_dimension, add_variable
from namd.schema import PROPERTIES

_VERSION = "v1.2"
_COORDINATES = "time astate atNames atNums state_names state_types state_charges from to"


def write_shnitsel(dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write a tree of trajectories.

    Parameters
    ----------
    dataset
        The frames. Each stretch of growing time of one group and source is a trajectory. Where
        couplings are given as h alone, ``nacs`` is h/(E_j − E_i).
    path
        File to make, atomically.
    overwrite
        Replace a file of that name.

    Raises
    ------
    ConfigError
        If the file exists and may not be replaced.
    DataError
        If it cannot be written.
    """
    compound = dataset.molecule.formula
    with create_hdf5(path, overwrite=overwrite) as file:
        ours = {"version": __version__, "arrays": list(dataset)}
        about = {"title": dataset.title, "licence": dataset.licence, "namd": ours}
        _annotate(file, "ShnitselDBRoot", about)
        file.attrs["__shnitsel_format_version"] = _VERSION
        tree = file.create_group(compound)
        info = {"compound_name": compound}
        _annotate(tree, "CompoundGroup", {"compound_info": info, "_shnitsel_compound_info": info})
        for number, part in enumerate(_parts(dataset)):
            _write_leaf(tree.create_group(str(number)), dataset, part, number=number)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """Frames that make one group of the file: a trajectory or not, and the name of their axis."""

    rows: Int[np.ndarray, " frame"]
    moving: bool
    axis: str


def _parts(dataset: Dataset) -> list[_Part]:
    """Every trajectory, then all other frames together.

    shnitsel-tools opens no tree in which some groups have the axis ``time`` and others have not:
    where there are frames of no trajectory, times stand along the axis ``frame`` everywhere.
    """
    walks = trajectory_walks(dataset)
    rest = np.setdiff1d(np.arange(len(dataset)), np.concatenate([np.zeros(0, np.int64), *walks]))
    axis = FRAME_DIMENSIONS[1 if len(rest) else 0]
    parts = [_Part(rows=walk, moving=True, axis=axis) for walk in walks]
    return [*parts, _Part(rows=rest, moving=False, axis=axis)] if len(rest) else parts


def _annotate(group: h5py.Group, level: str, attributes: Mapping[str, object]) -> None:
    told = {"DataTree_Level": level, "_MultiIndex_levels_from_attrs": 1, **attributes}
    for name, value in as_json(told).items():
        group.attrs[name] = value
    group.attrs["__attrs_json_encoded"] = 1


def _write_leaf(group: h5py.Group, dataset: Dataset, part: _Part, *, number: int) -> None:
    told: dict[str, object] = {
        "input_format": "namd",
        "input_format_version": __version__,
        "input_type": "dynamic" if part.moving else "static",
        "completed": True,
        "est_level": dataset.level_of_theory,
        "trajid": number,
        "trajectory_id": number,
        "charge": dataset.molecule.charge,
        "_MultiIndex_levels_for_statecomb": ["from", "to"],
    }
    for multiplicity, kind in enumerate(("singlets", "doublets", "triplets"), start=1):
        told[f"num_{kind}"] = len(dataset.states) * (dataset.multiplicity == multiplicity)
    if part.moving:
        time = _in_unit("time", dataset["time"][part.rows])
        told |= {
            "delta_t": float(np.diff(time).min()) if len(time) > 1 else 0.0,
            "t_max": float(time[-1]),
            "max_ts": len(time),
            "group": str(dataset["group"][part.rows[0]]),
            "source": str(dataset["source"][part.rows[0]]),
        }
    _annotate(group, "TrajectoryData", told)
    group.attrs["coordinates"] = _COORDINATES
    if part.axis == "time":
        _add(group, "time", ("time",), time, **_unit_of("time"))
    else:
        numbers = np.arange(len(part.rows))
        _add(group, part.axis, (part.axis,), numbers, long_name="Number of the frame in this group")
    _write_axes(group, dataset)
    _write_columns(group, dataset, part)
    _write_own(group, dataset, part)
    meaning = "Number of the frame in the dataset"
    _add(group, "frame_number", (part.axis,), part.rows, long_name=meaning)


def _write_axes(group: h5py.Group, dataset: Dataset) -> None:
    """States, atoms, pairs and diabats."""
    molecule, states = dataset.molecule, len(dataset.states)
    pairs = np.array(dataset.states.pairs, dtype=np.int64).reshape(-1, 2)
    for name in ("diabatic_hamiltonian", "diabatic_populations"):
        if name in dataset and "diabat" not in group:
            add_dimension(group, "diabat", dataset[name].shape[1])
            add_dimension(group, "diabat2", dataset[name].shape[1])
    add_dimension(group, "statecomb", len(pairs))
    for name, axis, values, meaning in (
        ("state", "state", np.arange(1, states + 1), "Number of the state, from 1"),
        ("atom", "atom", np.arange(len(molecule)), "Number of the atom, from 0"),
        ("direction", "direction", np.array(["x", "y", "z"]), "Cartesian component"),
        ("state_names", "state", np.array(dataset.states.labels), "Names of the states"),
        ("state_types", "state", np.full(states, dataset.multiplicity), "Multiplicities"),
        ("state_charges", "state", np.full(states, float(molecule.charge)), "Charges in e"),
        ("atNums", "atom", molecule.atomic_numbers, "Atomic numbers"),
        ("atNames", "atom", np.array(molecule.symbols), "Element symbols"),
        ("from", "statecomb", 1 + pairs[:, 0], "First state of a pair"),
        ("to", "statecomb", 1 + pairs[:, 1], "Second state of a pair"),
    ):
        _add(group, name, (axis,), values, long_name=meaning)


def _write_columns(group: h5py.Group, dataset: Dataset, part: _Part) -> None:
    """What the layout has a name for."""
    for name, column in COLUMNS.items():
        if name == "nacs" and dataset.has_coupling:
            values = dataset.nonadiabatic_coupling[part.rows]
        elif column.ours in dataset and name not in group and (part.moving or name != "time"):
            values = dataset[column.ours][part.rows]
        else:
            continue
        axes = axes_of(PROPERTIES[column.ours], frames=part.axis)
        _add(group, name, axes, _in_unit(name, values), **_unit_of(name))
    if "active_state" in dataset:
        active = dataset["active_state"][part.rows]
        numbers = np.where(active < 0, -1, active + 1)
        _add(group, "astate", (part.axis,), numbers, long_name="Active state, from 1")


def _write_own(group: h5py.Group, dataset: Dataset, part: _Part) -> None:
    """What it has no name for, under ours and in atomic units."""
    held = {column.ours for column in COLUMNS.values()} | {"active_state"}
    if part.moving:
        held |= {"group", "source"}  # attributes there
    for name in dataset:
        if name in held:
            continue
        prop, values = PROPERTIES[name], dataset[name][part.rows]
        columns = {name: values}
        if np.iscomplexobj(values):
            columns = {f"{name}_real": values.real, f"{name}_imag": values.imag}
        for column, numbers in columns.items():
            axes = axes_of(prop, frames=part.axis)
            _add(group, column, axes, numbers, long_name=prop.meaning, units=prop.unit)


def _add(
    group: h5py.Group, name: str, axes: tuple[str, ...], values: np.ndarray, **attributes: str
) -> None:
    add_variable(group, name, values, dimensions=axes, attributes=as_json(attributes))


def _unit_of(name: str) -> dict[str, str]:
    column = COLUMNS[name]
    return {"long_name": column.meaning, "unitdim": column.dimension, "units": column.unit}


def _in_unit(name: str, values: np.ndarray) -> np.ndarray:
    """Atomic numbers in the unit of the file."""
    column = COLUMNS[name]
    return values / to_atomic(column.unit, expected=PROPERTIES[column.ours].unit, name=name)

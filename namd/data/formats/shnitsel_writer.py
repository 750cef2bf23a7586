"""Write SHNITSEL files: one group per trajectory, one for frames that belong to none."""

from collections.abc import Iterator, Mapping
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
_COORDINATES = "astate atNames atNums state_names state_types state_charges from to"


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
    DataError
        If the file exists and may not be replaced, or cannot be written.
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
        for number, (rows, frames) in enumerate(_groups(dataset)):
            _write_leaf(tree.create_group(str(number)), dataset, rows, frames, number=number)


def _groups(dataset: Dataset) -> Iterator[tuple[Int[np.ndarray, " frame"], str]]:
    """Frame numbers of each trajectory, then of all other frames; and the name of their axis."""
    walks = trajectory_walks(dataset)
    yield from ((walk, FRAME_DIMENSIONS[0]) for walk in walks)
    rest = np.setdiff1d(np.arange(len(dataset)), np.concatenate([np.zeros(0, np.int64), *walks]))
    if len(rest):
        yield rest, FRAME_DIMENSIONS[1]


def _annotate(group: h5py.Group, level: str, attributes: Mapping[str, object]) -> None:
    told = {"DataTree_Level": level, "_MultiIndex_levels_from_attrs": 1, **attributes}
    for name, value in as_json(told).items():
        group.attrs[name] = value
    group.attrs["__attrs_json_encoded"] = 1


def _write_leaf(
    group: h5py.Group,
    dataset: Dataset,
    rows: Int[np.ndarray, " frame"],
    frames: str,
    *,
    number: int,
) -> None:
    moving = frames == FRAME_DIMENSIONS[0]
    told: dict[str, object] = {
        "input_format": "namd",
        "input_format_version": __version__,
        "input_type": "dynamic" if moving else "static",
        "completed": True,
        "est_level": dataset.level_of_theory,
        "trajid": number,
        "trajectory_id": number,
        "charge": dataset.molecule.charge,
        "_MultiIndex_levels_for_statecomb": ["from", "to"],
    }
    for multiplicity, kind in enumerate(("singlets", "doublets", "triplets"), start=1):
        told[f"num_{kind}"] = len(dataset.states) * (dataset.multiplicity == multiplicity)
    if moving:
        time = _in_unit("time", dataset["time"][rows])
        told |= {
            "delta_t": float(time[1] - time[0]) if len(time) > 1 else 0.0,
            "t_max": float(time[-1]),
            "max_ts": len(time),
            "group": str(dataset["group"][rows[0]]),
            "source": str(dataset["source"][rows[0]]),
        }
    _annotate(group, "TrajectoryData", told)
    group.attrs["coordinates"] = _COORDINATES
    if moving:
        _add(group, "time", (frames,), time, **_unit_of("time"))
    else:
        _add(group, frames, (frames,), np.arange(len(rows)), long_name="Number of the frame here")
    _write_axes(group, dataset)
    _write_columns(group, dataset, rows, frames)
    _write_own(group, dataset, rows, frames)
    _add(group, "frame_number", (frames,), rows, long_name="Number of the frame in the dataset")


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


def _write_columns(
    group: h5py.Group, dataset: Dataset, rows: Int[np.ndarray, " frame"], frames: str
) -> None:
    """What the layout has a name for."""
    for name, column in COLUMNS.items():
        if name == "nacs" and dataset.has_coupling:
            values = dataset.nonadiabatic_coupling[rows]
        elif name != "time" and column.ours in dataset:
            values = dataset[column.ours][rows]
        else:
            continue
        axes = axes_of(PROPERTIES[column.ours], frames=frames)
        _add(group, name, axes, _in_unit(name, values), **_unit_of(name))
    if "active_state" in dataset:
        active = dataset["active_state"][rows]
        numbers = np.where(active < 0, -1, active + 1)
        _add(group, "astate", (frames,), numbers, long_name="Active state, from 1")


def _write_own(
    group: h5py.Group, dataset: Dataset, rows: Int[np.ndarray, " frame"], frames: str
) -> None:
    """What it has no name for, under ours and in atomic units."""
    held = {column.ours for column in COLUMNS.values()} | {"active_state"}
    if frames == FRAME_DIMENSIONS[0]:
        held |= {"group", "source"}
    for name in dataset:
        if name in held:
            continue
        prop, values = PROPERTIES[name], dataset[name][rows]
        parts = {name: values}
        if np.iscomplexobj(values):
            parts = {f"{name}_real": values.real, f"{name}_imag": values.imag}
        for part, numbers in parts.items():
            axes = axes_of(prop, frames=frames)
            _add(group, part, axes, numbers, long_name=prop.meaning, units=prop.unit)


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

"""NetCDF files of SHNITSEL, in and out, by h5py.

SHNITSEL (https://github.com/SHNITSEL/shnitsel-tools) keeps surface-hopping trajectories of many
programs. Versions 1.2 and 1.3 of its files are trees, one group per trajectory; older ones are one
table. Every group with positions is read, whatever it is called and however deep it lies; axes are
told by their names, never by their order. Units are those of the file or what the user says; where
neither speaks, lengths, energies and forces are refused and the rest is taken in atomic units,
which is told. ``nacs`` are d = ⟨i|∇ j⟩, or h where their unit is that of a force.

In files of others a force or coupling vector of zeros was not computed, and becomes NaN.

We write one group per trajectory and one for the frames that belong to none. What the layout has
no name for stands in variables of our own names, whose units SHNITSEL does not know and leaves
alone; the entry ``namd`` of the root lists what is to come back.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from namd.data.dataset import Dataset
from namd.data.formats.shnitsel_layout import attributes_of
from namd.data.formats.shnitsel_leaf import Leaf, read_leaf
from namd.data.formats.stated import Stated
from namd.data.plain import UNGROUPED
from namd.errors import DataError
from namd.io.hdf5 import HDF5_SIGNATURE, open_hdf5
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.states import StateSpace


def recognises(path: Path) -> bool:
    """Whether a file is HDF5 and has positions of the layout in some group."""
    with path.open("rb") as stream:
        if stream.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
            return False
    with open_hdf5(path) as file:
        return "format" not in file.attrs and next(_leaves(file), None) is not None


def read_shnitsel(path: Path, stated: Stated) -> Dataset:
    """Read all trajectories of a file.

    Parameters
    ----------
    path
        NetCDF-4. Groups of trajectories that tell no name are called after the file and their place
        in it.
    stated
        Units that the file does not tell, and the frames to take, counted group by group.

    Raises
    ------
    DataError
        If the file is damaged, energies or forces are missing, trajectories differ in atoms, states
        or level of theory, or states are of several multiplicities.
    """
    with open_hdf5(path) as file:
        root = attributes_of(file)
        ours = root.get("namd")
        ours = ours if isinstance(ours, dict) else {}
        leaves = [
            read_leaf(group, stated, place=_place(path, group), ours=bool(ours))
            for group in _leaves(file)
        ]
    if not leaves:
        raise DataError("there are no positions (atXYZ)", where=str(path))
    first = leaves[0]
    for leaf in leaves[1:]:
        for what in ("numbers", "labels", "charge", "multiplicity", "level_of_theory"):
            if getattr(leaf, what) != getattr(first, what):
                raise DataError(
                    f"{what.replace('_', ' ')} differ: {getattr(leaf, what)} here, "
                    f"{getattr(first, what)} in {first.where}",
                    where=leaf.where,
                    hint="a dataset holds one molecule at one level of theory",
                )
    if assumed := sorted({name for leaf in leaves for name in leaf.assumed}):
        stated.warn(
            f"{path}: the units of {', '.join(assumed)} are not stated: taken in atomic units; "
            "--units says otherwise"
        )
    if left := sorted({name for leaf in leaves for name in leaf.left}):
        stated.warn(f"{path}: not taken over: {', '.join(left)}")
    return stated.take(
        Dataset(
            molecule=Molecule.from_numbers(np.array(first.numbers), charge=first.charge),
            states=StateSpace(first.labels),
            level_of_theory=first.level_of_theory,
            arrays=_joined(leaves, ours=ours, where=str(path)),
            multiplicity=first.multiplicity,
            title=str(root.get("title", "")),
            licence=str(root.get("licence", "")),
        )
    )


def _leaves(group: h5py.Group) -> Iterator[h5py.Group]:
    """Groups with positions, numbered ones in the order of their numbers."""
    if isinstance(group.get("atXYZ"), h5py.Dataset):
        yield group
    children = [name for name in group if isinstance(group[name], h5py.Group)]
    for name in sorted(children, key=lambda name: (int(name) if name.isdecimal() else -1, name)):
        yield from _leaves(group[name])


def _place(path: Path, group: h5py.Group) -> str:
    return "/".join(filter(None, (path.stem.lstrip("."), group.name.strip("/"))))


def _joined(leaves: list[Leaf], *, ours: Mapping[str, Any], where: str) -> dict[str, np.ndarray]:
    """Arrays of all groups one after the other; what one has not is unknown there."""
    names = {name for leaf in leaves for name in leaf.arrays}
    if ours:
        names = set(ours.get("arrays", ())) | {"frame_number"}
        if unknown := names - PROPERTIES.keys() - {"frame_number"}:
            raise DataError(
                f"{', '.join(sorted(unknown))}: not known",
                where=f"{where}  namd",
                hint="install a newer namd",
            )
    shapes = {name: leaf.arrays[name].shape[1:] for leaf in leaves for name in leaf.arrays}
    joined = {}
    for name in sorted(names):
        if name not in shapes and PROPERTIES[name].axes:
            continue  # others have worked on the file since
        shape = shapes.get(name, ())
        joined[name] = np.concatenate(
            [
                leaf.arrays[name] if name in leaf.arrays else _unknown(name, (len(leaf), *shape))
                for leaf in leaves
            ]
        )
    if "frame_number" in joined:
        order = np.argsort(joined.pop("frame_number"), kind="stable")
        joined = {name: values[order] for name, values in joined.items()}
    return joined


def _unknown(name: str, shape: tuple[int, ...]) -> np.ndarray:
    kind = PROPERTIES[name].dtype
    return np.full(shape, UNGROUPED if kind == "str" else -1 if kind == "int64" else np.nan)

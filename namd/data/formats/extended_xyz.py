"""Extended XYZ with several electronic states, readable by plain ``ase.io.read``.

Lengths are in Å, energies in eV, times in fs, and every name but ``pos`` ends in its unit, e.g.
``energies_ev`` and ``forces_ev_per_angstrom``. That also keeps the names apart from ``energy``
and ``forces``, which ASE takes for those of a calculator with one state.

* Quantities with an ``atom`` axis are columns. Axes before it are flattened: the row of an atom
  holds x, y, z of the first state (pair), then of the second, and so on.
* All others are keys of the comment line, flattened row by row; ``amplitudes`` is split into
  ``amplitudes_real`` and ``amplitudes_imag``.
* Every comment line has ``states``, ``charge``, ``multiplicity`` and ``level_of_theory``, and
  ``title`` and ``licence`` where there are any. The provenance is not kept.

Numbers have all their digits: what is read differs from what was written by rounding alone.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase
import numpy as np
from numpy.typing import ArrayLike

from namd.data.dataset import Dataset, axis_lengths
from namd.data.formats.stated import Stated
from namd.data.plain import UNGROUPED
from namd.errors import DataError
from namd.io.geometry_file import read_atoms
from namd.io.saving import save_bytes
from namd.molecule import Molecule
from namd.schema import PROPERTIES, Property
from namd.states import StateSpace
from namd.units import (
    ANGSTROM_PER_BOHR,
    EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
    EV_PER_HARTREE,
    FS_PER_ATOMIC_TIME,
)

UNITS: dict[str, tuple[str, float]] = {
    "1": ("", 1.0),
    "bohr": ("angstrom", ANGSTROM_PER_BOHR),
    "bohr*hartree/hbar": ("angstrom_per_fs", ANGSTROM_PER_BOHR / FS_PER_ATOMIC_TIME),
    "hartree": ("ev", EV_PER_HARTREE),
    "hartree/bohr": ("ev_per_angstrom", EV_PER_ANGSTROM_PER_ATOMIC_FORCE),
    "1/bohr": ("per_angstrom", 1.0 / ANGSTROM_PER_BOHR),
    "e*bohr": ("e_angstrom", ANGSTROM_PER_BOHR),
    "hbar/hartree": ("fs", FS_PER_ATOMIC_TIME),
}
"""Atomic unit → how a name ends in the file, and the factor from the atomic unit."""

_PARTS = {"real": np.real, "imag": np.imag}


def recognises(head: bytes) -> bool:
    """Whether a file begins as one of extended XYZ does: a count, then ``Properties=``."""
    lines = head.split(b"\n", 2)
    return len(lines) > 1 and lines[0].strip().isdigit() and b"Properties=" in lines[1]


def key_of(prop: Property) -> str:
    """Name of a property in the file: its own, and its unit."""
    if prop.name == "positions":
        return "pos"
    return "_".join(filter(None, (prop.name, UNITS[prop.unit][0])))


def write_extended_xyz(dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write every frame and property of a dataset.

    Parameters
    ----------
    dataset
        The frames.
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
    columns = ["positions", *(name for name in dataset if _is_column(name) and name != "positions")]
    arrays = {name: _outward(name, dataset[name]) for name in dataset}
    widths = (
        {name: int(np.prod(arrays[name].shape[1:])) // len(dataset.molecule) for name in columns}
        if len(dataset)
        else {}
    )
    header = "Properties=species:S:1:" + ":".join(
        f"{key_of(PROPERTIES[name])}:R:{width}" for name, width in widths.items()
    )
    constant = _metadata(dataset)
    lines = []
    for frame in range(len(dataset)):
        keys = dict(_keys_of_frame(arrays, frame))
        comment = [header, *(f"{key}={_quoted(text)}" for key, text in (keys | constant).items())]
        table = np.concatenate([_rows(arrays[name][frame]) for name in columns], axis=1)
        lines += [str(len(dataset.molecule)), " ".join(comment)]
        lines += [
            " ".join((symbol, *map(repr, row)))
            for symbol, row in zip(dataset.molecule.symbols, table.tolist(), strict=True)
        ]
    save_bytes(path, "".join(f"{line}\n" for line in lines).encode(), overwrite=overwrite)


def read_extended_xyz(path: Path, stated: Stated) -> Dataset:
    """Read what :func:`write_extended_xyz` wrote, or a file of the same names.

    Parameters
    ----------
    path
        The file.
    stated
        The frames to take.

    Raises
    ------
    DataError
        If ASE cannot read it, energies or forces are missing, or frames differ in their atoms,
        states or properties.
    """
    images = read_atoms(path, index=":", file_format="extxyz")[stated.frames]
    if not images:
        raise DataError("no frame is left to read", where=str(path), hint="see --frames")
    first = images[0]
    keys = first.info.keys() | first.arrays.keys()
    names = [prop.name for prop in PROPERTIES.values() if _stored_keys(prop) <= keys]
    if missing := {"energies", "forces"}.difference(names):
        wanted = ", ".join(key_of(PROPERTIES[name]) for name in sorted(missing))
        raise DataError(
            f"the frames have no {wanted}",
            where=str(path),
            hint="energies of all states belong into the comment line, forces into columns, "
            "x y z of the first state, then of the second",
        )
    molecule = Molecule.from_numbers(
        first.numbers.astype(np.int64), charge=int(first.info.get("charge", 0))
    )
    energies = np.size(first.info[key_of(PROPERTIES["energies"])])
    labels = str(first.info.get("states", "")).split()
    states = StateSpace(tuple(labels)) if labels else StateSpace.singlets(energies)
    for frame, image in enumerate(images):
        if not np.array_equal(image.numbers, first.numbers):
            raise DataError(
                f"frame {frame} has other atoms, or in another order, than the first",
                where=str(path),
                hint="a dataset holds one molecule: cut the file",
            )
    shapes = {
        name: axis_lengths(PROPERTIES[name], molecule=molecule, states=states) for name in names
    }
    arrays = {
        name: np.array(
            [
                _inward(name, image, shapes[name], f"{path}  frame {frame}")
                for frame, image in enumerate(images)
            ]
        )
        for name in names
    }
    for name in ("group", "source"):
        arrays.setdefault(name, np.full(len(images), UNGROUPED))
    return Dataset(
        molecule=molecule,
        states=states,
        level_of_theory=str(first.info.get("level_of_theory", "")),
        arrays=arrays,
        multiplicity=int(first.info.get("multiplicity", 1)),
        title=str(first.info.get("title", "")),
        licence=str(first.info.get("licence", "")),
    )


def _is_column(name: str) -> bool:
    return "atom" in PROPERTIES[name].axes


def _outward(name: str, values: np.ndarray) -> np.ndarray:
    """Values in the unit of the file."""
    unit = PROPERTIES[name].unit
    return values if unit == "1" else values * UNITS[unit][1]


def _rows(values: np.ndarray) -> np.ndarray:
    """[…, atom, 3] → [atom, columns]."""
    return np.moveaxis(values, -2, 0).reshape(values.shape[-2], -1)


def _keys_of_frame(arrays: dict[str, np.ndarray], frame: int) -> Iterator[tuple[str, str]]:
    for name, values in arrays.items():
        key = key_of(PROPERTIES[name])
        if _is_column(name):
            continue
        if np.iscomplexobj(values):
            for part, take in _PARTS.items():
                yield f"{key}_{part}", _numbers(take(values[frame]))
        elif values.dtype.kind == "U":
            yield key, _text(str(values[frame]))
        else:
            yield key, _numbers(values[frame])


def _metadata(dataset: Dataset) -> dict[str, str]:
    texts = {
        "states": " ".join(dataset.states.labels),
        "level_of_theory": dataset.level_of_theory,
        "title": dataset.title,
        "licence": dataset.licence,
    }
    return {
        "charge": str(dataset.molecule.charge),
        "multiplicity": str(dataset.multiplicity),
        **{key: _text(text) for key, text in texts.items() if text},
    }


def _numbers(values: ArrayLike) -> str:
    return " ".join(map(repr, np.ravel(values).tolist()))


def _text(text: str) -> str:
    """The text, or JSON where a reader would take it for numbers or truth values."""
    words = re.findall(r"[^\s,]+", text)
    taken = not words or all(map(_is_number, words)) or text.startswith("_JSON ")
    taken = taken or all(word in {"T", "F"} or word.lower() in {"true", "false"} for word in words)
    plain = text.isascii() and text.isprintable()
    return text if plain and not taken else f"_JSON {json.dumps(text)}"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _stored_keys(prop: Property) -> set[str]:
    if prop.name == "positions":
        return {"positions"}  # ASE's name of ``pos``
    key = key_of(prop)
    return {f"{key}_{part}" for part in _PARTS} if prop.dtype.startswith("complex") else {key}


def _inward(name: str, image: ase.Atoms, shape: tuple[int, ...], where: str) -> Any:
    """One property of one frame, in atomic units and in its own shape."""
    prop = PROPERTIES[name]
    stored = image.arrays if _is_column(name) else image.info
    try:
        parts = [stored[key] for key in sorted(_stored_keys(prop), reverse=True)]
    except KeyError as error:
        raise DataError(f"{error} is missing, which the first frame has", where=where) from None
    if prop.dtype == "str":
        return str(parts[0])
    values = np.asarray(parts[0]) if len(parts) == 1 else parts[0] + 1j * np.asarray(parts[1])
    if _is_column(name):
        values = np.moveaxis(values.reshape(len(image), -1, 3), 0, -2)
    if -1 in shape:  # diabats: as many as there are numbers
        length = round(values.size ** (1.0 / len(shape)))
        shape = (length,) * len(shape)
    try:
        values = values.reshape(shape)
    except ValueError:
        raise DataError(
            f"'{key_of(prop)}' has {values.size} numbers, expected {list(shape)} of them",
            where=where,
            hint="it must fit the number of atoms and of state labels",
        ) from None
    return values if prop.unit == "1" else values / UNITS[prop.unit][1]

"""ASE databases (SQLite) in the layout of SPaiNN and of SchNarc.

Every row holds the atoms and, in its ``data``:

===============  ===================  ===================  ====================================
key              SPaiNN               SchNarc              meaning
===============  ===================  ===================  ====================================
``energy``       ``[1, state]``       ``[state]``          E_k
``forces``       ``[atom, state, 3]`` ``[state, atom, 3]`` −∇E_k
``nacs``         ``[atom, pair, 3]``  ``[pair, atom, 3]``  d_ij = ⟨i|∇ j⟩, i < j row by row
``smooth_nacs``  ``[atom, pair, 3]``                       (E_i − E_j) d_ij = −h_ij
``dipoles``      ``[i ≤ j, 3]``       ``[i ≤ j, 3]``       upper triangle row by row: 00, 01, …
===============  ===================  ===================  ====================================

The shape of ``energy`` tells the two apart. Units are those of the metadata (``_distance_unit``,
``_property_unit_dict``) or what the user says; where neither speaks, energies, forces and lengths
are refused. Couplings and dipoles of unit ``1`` or none are taken in atomic units, which is what
SPaiNN writes, and that is told. Bonds that do not fit the unit of length, and ``smooth_nacs`` that
contradict ``nacs``, are errors that name the rows: files that mix units are about.

We write SPaiNN's layout. What it has no name for (velocities, time, …) stands in ``data`` under our
own names in atomic units, with the rest of our metadata in the entry ``namd`` of the metadata.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ase
import ase.db
import numpy as np
from jaxtyping import Float, Int

from namd.data.dataset import Dataset
from namd.data.formats.spainn_layout import (
    HELD,
    UNITS,
    columns_of,
    couplings,
    dipoles,
    labels_of,
    ranges,
)
from namd.data.formats.stated import Stated
from namd.data.formats.units import to_atomic
from namd.data.lengths import BOND_RATIO, bond_ratios
from namd.data.plain import UNGROUPED
from namd.errors import DataError
from namd.io.saving import refuse_existing, save_bytes
from namd.molecule import Molecule
from namd.schema import PROPERTIES
from namd.states import StateSpace

SIGNATURE = b"SQLite format 3\0"
_MAY_BE_UNSTATED = {"nacs", "smooth_nacs", "dipoles"}
_SPAINN_UNITS = {"energy": "Hartree", "forces": "Hartree/Bohr"}


def recognises(head: bytes) -> bool:
    """Whether a file begins as an SQLite database does."""
    return head.startswith(SIGNATURE)


def read_ase_db(path: Path, stated: Stated) -> Dataset:
    """Read a database of one molecule in several singlet states.

    Parameters
    ----------
    path
        SQLite file; rows are taken in the order of their ids.
    stated
        Units that the metadata do not tell, and the frames (rows, counted from 0) to take.

    Raises
    ------
    DataError
        If it is no such database, a unit is not known, rows differ in their atoms or shapes, or
        numbers contradict the metadata: then the rows are named, counted from 1 as ASE does.
    """
    metadata, rows = _open(path, stated.frames)
    where = str(path)
    units = _units(metadata, rows[0].data, stated, where=where)
    for row in rows:
        if not np.array_equal(row.numbers, rows[0].numbers):
            raise DataError(
                f"row {row.id} has other atoms, or in another order, than row {rows[0].id}",
                where=where,
                hint="a dataset holds one molecule",
            )
    if int(metadata.get("n_triplets", 0)) or int(metadata.get("n_duplets", 0)):
        raise DataError(
            "the database has states of several multiplicities, expected singlets alone",
            where=f"{where}  metadata",
            hint="namd holds states of one multiplicity, in ascending energy",
        )
    ours = metadata.get("namd", {})
    if "__shnitsel_meta" in metadata and "dipoles" in rows[0].data:
        raise DataError(
            "the dipoles of a database written by shnitsel-tools are in another order",
            where=where,
            hint="convert the files it was made from",
        )
    kept = ours.get("arrays")
    layout = labels_of(rows, where=where)
    if (count := metadata.get("n_singlets", len(layout.states))) != len(layout.states):
        raise DataError(
            f"n_singlets is {count}, 'energy' holds {len(layout.states)} states",
            where=f"{where}  metadata",
            hint="correct the metadata",
        )
    energies = layout.energies * units["energy"]
    positions = np.array([row.positions for row in rows]) * units["distance"]
    numbers = rows[0].numbers.astype(np.int64)
    molecule = Molecule.from_numbers(numbers, charge=int(ours.get("charge", 0)))
    _refuse_wrong_lengths(positions, molecule=molecule, ids=layout.ids, path=path)
    arrays: dict[str, np.ndarray] = {
        "positions": positions,
        "energies": energies,
        "forces": layout.vectors("forces", len(layout.states)) * units["forces"],
        **couplings(layout, energies, units=units, kept=kept),
        **dipoles(layout, unit=units.get("dipoles", 1.0), kept=kept),
        **_our_own(rows, ours, where=where),
    }
    known = UNITS.keys() | ours.get("arrays", ())
    if left := sorted({key for row in rows for key in row.data}.difference(known)):
        stated.warn(f"{path}: not taken over: {', '.join(left)}")
    labels = tuple(ours.get("states", layout.states.labels))
    for name in ("group", "source"):
        arrays.setdefault(name, np.full(len(rows), UNGROUPED))
    return Dataset(
        molecule=molecule,
        states=StateSpace(labels),
        level_of_theory=str(metadata.get("ReferenceMethod", "")),
        arrays=arrays,
        multiplicity=int(ours.get("multiplicity", 1)),
        title=" ".join(str(ours.get("title", metadata.get("info", ""))).split()),
        licence=str(ours.get("licence", "")),
    )


def write_ase_db(dataset: Dataset, path: Path, *, overwrite: bool = False) -> None:
    """Write a database in SPaiNN's layout, atomic units throughout.

    Parameters
    ----------
    dataset
        The frames. Where couplings are given as h alone, ``nacs`` is h/(E_j − E_i).
    path
        File to make, atomically.
    overwrite
        Replace a file of that name.

    Raises
    ------
    ConfigError
        If the file exists and may not be replaced.
    DataError
        If the states are no singlets, or the file cannot be written.
    """
    if dataset.multiplicity != 1:
        raise DataError(
            f"the states have multiplicity {dataset.multiplicity}, this layout is for singlets",
            where="multiplicity",
            hint="write another format",
        )
    if not overwrite:
        refuse_existing(path)
    columns = columns_of(dataset)
    own = [name for name in dataset if name not in HELD]
    count = len(dataset.states)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "rows.db"
        with ase.db.connect(scratch) as database:
            for frame, positions in enumerate(dataset["positions"]):
                atoms = ase.Atoms(dataset.molecule.atomic_numbers, positions=positions)
                data = {key: values[frame] for key, values in columns.items()}
                data |= {name: _plain(dataset[name][frame]) for name in own}
                database.write(atoms, data=data)
        database.metadata = {
            "n_singlets": count,
            "n_triplets": 0,
            "states": " ".join("S" * count),
            "phasecorrected": False,
            "ReferenceMethod": dataset.level_of_theory,
            "atomrefs": {},
            "_distance_unit": "Bohr",
            "_property_unit_dict": {key: _SPAINN_UNITS.get(key, "1") for key in columns},
            "namd": {
                "states": list(dataset.states.labels),
                "charge": dataset.molecule.charge,
                "multiplicity": dataset.multiplicity,
                "title": dataset.title,
                "licence": dataset.licence,
                "units": {key: UNITS[key] for key in columns}
                | {name: PROPERTIES[name].unit for name in own},
                "arrays": list(dataset),
            },
        }
        save_bytes(path, scratch.read_bytes(), overwrite=overwrite)


def _open(path: Path, frames: slice) -> tuple[dict[str, Any], list[Any]]:
    try:
        database = ase.db.connect(path, type="db")
        metadata = dict(database.metadata)
        rows = list(database.select())
    except Exception as error:  # whatever SQLite and ASE's decoding of it run into
        raise DataError(
            f"ASE cannot read the database: {error or type(error).__name__}",
            where=str(path),
            hint="is it a database of ASE, and its copy complete?",
        ) from error
    rows = rows[frames]
    if not rows:
        raise DataError("no row is left to read", where=str(path), hint="see --frames")
    return metadata, rows


def _units(
    metadata: Mapping[str, Any], data: Mapping[str, Any], stated: Stated, *, where: str
) -> dict[str, float]:
    """Factor to atomic units of every quantity there is."""
    told = dict(metadata.get("_property_unit_dict", {}))
    if "_distance_unit" in metadata:
        told["distance"] = metadata["_distance_unit"]
    told |= metadata.get("namd", {}).get("units", {})
    told |= stated.units
    factors, assumed = {}, []
    for key, expected in UNITS.items():
        if key != "distance" and key not in data:
            continue
        unit = str(told.get(key, "1"))
        if unit == "1" and key in _MAY_BE_UNSTATED:
            assumed.append(f"{key} ({expected})")
            unit = expected
        elif unit == "1":
            raise DataError(
                f"the unit of '{key}' is not stated",
                where=f"{where}  metadata",
                hint=f"say it with --units {key}=UNIT, e.g. --units {key}={expected}",
            )
        try:
            factors[key] = to_atomic(unit, expected=expected, name=key)
        except DataError as error:
            raise DataError(error.message, where=f"{where}  metadata", hint=error.hint) from error
    if assumed:
        stated.warn(
            f"{where}: the units of {', '.join(assumed)} are not stated: taken in atomic "
            "units, as SPaiNN writes them; --units says otherwise"
        )
    return factors


def _refuse_wrong_lengths(
    positions: Float[np.ndarray, "frame atom 3"],
    *,
    molecule: Molecule,
    ids: Int[np.ndarray, " frame"],
    path: Path,
) -> None:
    if len(molecule) < 3:
        return
    ratios = bond_ratios(positions, molecule.atomic_numbers)
    bad = (ratios < BOND_RATIO[0]) | (ratios > BOND_RATIO[1])
    if not bad.any():
        return
    good = f", {np.median(ratios[~bad]):.2f} in the others" if not bad.all() else ""
    raise DataError(
        f"bonds have {np.median(ratios[bad]):.2f} times their usual length{good}: the positions of "
        f"these {bad.sum()} of {len(bad)} rows are not in the unit that is stated",
        where=f"{path}  rows {ranges(ids[bad])}",
        hint="leave them out with --frames (row 1 is frame 0)"
        if not bad.all()
        else "state the unit with --units distance=UNIT",
    )


def _our_own(rows: Sequence[Any], ours: Mapping[str, Any], *, where: str) -> dict[str, np.ndarray]:
    arrays = {}
    for name in set(ours.get("arrays", ())) - HELD:
        if name not in PROPERTIES or any(name not in row.data for row in rows):
            raise DataError(f"'{name}' is announced in the metadata, but missing", where=where)
        values = [row.data[name] for row in rows]
        if PROPERTIES[name].dtype.startswith("complex"):
            values = [np.asarray(value[0]) + 1j * np.asarray(value[1]) for value in values]
        arrays[name] = np.array(values)
    return arrays


def _plain(value: Any) -> Any:
    """A value as ASE's JSON takes it."""
    if np.iscomplexobj(value):
        return [np.real(value), np.imag(value)]
    return value.item() if np.ndim(value) == 0 else value

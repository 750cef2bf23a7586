"""Hessians as other programs write them.

======================  =======================================================================
file                    content
======================  =======================================================================
``.hess`` (ORCA)        ``$hessian`` in blocks of columns, ``$atoms`` with positions in Bohr
``.fchk`` (Gaussian)    ``Cartesian Force Constants`` (lower triangle), coordinates in Bohr
``.npy``, text          the matrix alone, (3N)² numbers in any line length; lines that begin
                        with ``#`` or ``$`` are passed over (DFTB+ ``hessian.out``, xTB
                        ``hessian``)
======================  =======================================================================

All of them are in Hartree/Bohr², flattened over (atom, xyz).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers as number_of
from jaxtyping import Float, Int

from namd.errors import DataError

ORCA_SUFFIX = ".hess"
GAUSSIAN_SUFFIXES = (".fchk", ".fch")


class HarmonicMinimum(NamedTuple):
    """Atomic numbers, positions (Bohr) and Hessian (Hartree/Bohr²) of one geometry."""

    atomic_numbers: Int[np.ndarray, " atom"]
    positions: Float[np.ndarray, "atom 3"]
    hessian: Float[np.ndarray, "coordinate coordinate"]


def read_orca_hessian(path: Path) -> HarmonicMinimum:
    """Read the ``.hess`` file of ORCA.

    Raises
    ------
    DataError
        If it cannot be read as one.
    """
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in _text(path).splitlines():
        if line.startswith("$"):
            rows = sections.setdefault(line[1:].strip(), [])
        elif line.strip():
            rows.append(line.split())
    try:
        atoms = sections["atoms"][1 : 1 + int(sections["atoms"][0][0])]
        size = int(sections["hessian"][0][0])
        hessian = np.full((size, size), np.nan)
        columns: list[int] = []
        for words in sections["hessian"][1:]:
            if all(word.isdigit() for word in words):
                columns = [int(word) for word in words]
            else:
                hessian[int(words[0]), columns] = [float(word) for word in words[1:]]
        return HarmonicMinimum(
            atomic_numbers=np.array([number_of[words[0].capitalize()] for words in atoms]),
            positions=np.array([words[2:5] for words in atoms], dtype=np.float64),
            hessian=hessian,
        )
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"it cannot be read as a Hessian file of ORCA: {error}",
            where=str(path),
            hint="expected the sections $hessian and $atoms",
        ) from error


def read_gaussian_checkpoint(path: Path) -> HarmonicMinimum:
    """Read the formatted checkpoint of a frequency calculation with Gaussian.

    Raises
    ------
    DataError
        If a section is missing or cut short.
    """
    lines = _text(path).splitlines()
    try:
        numbers = _section(lines, "Atomic numbers")
        positions = _section(lines, "Current cartesian coordinates")
        triangle = _section(lines, "Cartesian Force Constants")
        size = 3 * len(numbers)
        hessian = np.zeros((size, size))
        hessian[np.tril_indices(size)] = triangle
        return HarmonicMinimum(
            atomic_numbers=numbers.astype(np.int64),
            positions=positions.reshape(-1, 3),
            hessian=np.tril(hessian) + np.tril(hessian, -1).T,
        )
    except ValueError as error:
        raise DataError(
            f"it cannot be read as a formatted checkpoint with force constants: {error}",
            where=str(path),
            hint="run a frequency calculation and formchk",
        ) from error


def read_hessian_matrix(path: Path) -> Float[np.ndarray, "coordinate coordinate"]:
    """Read a matrix alone, from ``.npy`` or text.

    Raises
    ------
    DataError
        If these are no numbers, or not as many as a square matrix over (atom, xyz) has.
    """
    try:
        if path.suffix == ".npy":
            numbers = np.asarray(np.load(path, allow_pickle=False), dtype=np.float64).ravel()
        else:
            kept = [row for row in _text(path).splitlines() if not row.lstrip().startswith("#")]
            kept = [row for row in kept if not row.lstrip().startswith("$")]
            numbers = np.array(" ".join(kept).replace(",", " ").split(), dtype=np.float64)
    except (OSError, ValueError) as error:
        raise DataError(
            f"it cannot be read as a matrix: {error}",
            where=str(path),
            hint="expected numbers only, as text or .npy",
        ) from error
    size = round(np.sqrt(numbers.size))
    if size == 0 or size**2 != numbers.size or size % 3:
        raise DataError(
            f"{numbers.size} numbers are no Hessian",
            where=str(path),
            hint="expected (3N)² of them, N being the number of atoms",
        )
    return numbers.reshape(size, size)


def _section(lines: list[str], title: str) -> Float[np.ndarray, " value"]:
    for place, line in enumerate(lines):
        if line.startswith(title) and "N=" in line:
            count = int(line.split("N=")[1])
            words: list[str] = []
            for row in lines[place + 1 :]:
                if len(words) >= count:
                    break
                words += row.split()
            if len(words) != count:
                raise ValueError(f"{title}: {count} numbers expected, {len(words)} found")
            return np.array(words, dtype=np.float64)
    raise ValueError(f"there is no section {title!r}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("this is not a text file", where=str(path)) from error

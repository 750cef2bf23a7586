"""Read a linear vibronic model in the text format of SHARC: ``LVC.template`` and its ``V0.txt``.

``V0.txt`` holds the harmonic ground state, in three parts headed by their titles: ``Geometry``
(symbol, nuclear charge, x, y, z in Bohr, mass in amu), ``Frequencies`` (ω of all 3N modes, Hartree)
and ``Mass-weighted normal modes`` (3N rows of coordinates, a column per mode). ``LVC.template``
names that file in its first line, the numbers of singlets, doublets, triplets, … in its second, and
then lists, each under a keyword and a count,

======== ============================== ================================================
keyword  columns, counted from 1        meaning, Hartree
======== ============================== ================================================
epsilon  multiplicity, state, value     energy of a state at the reference geometry
kappa    multiplicity, state, mode, …   slope of a state along the dimensionless Q_i
lambda   multiplicity, two states,      coupling of two states along Q_i
         mode, value
======== ============================== ================================================

with Q_i = √ω_i Σ_α K_αi √M_α (R_α − R⁰_α). ``DMX R``, ``DMY R`` and ``DMZ R`` head the Cartesian
components of the dipole operator in the diabatic basis (e·Bohr), each a matrix over all states,
every multiplet with all its components: singlets first, then the triplets with M_s = −1, 0, 1, and
so on; a component that is left out is zero. Imaginary parts, spin–orbit couplings, charges and
multipole fits do not enter what one multiplicity does and are passed over; terms that do and are
not linear (``gamma``, ``eta``) are refused. A ``#`` starts a comment.

Format and method: F. Plasser, S. Gómez, M. F. S. J. Menger, S. Mai, L. González,
Phys. Chem. Chem. Phys. 21 (2019) 57, DOI 10.1039/C8CP05662E, and the SHARC manual.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from namd.errors import ConfigError, DataError
from namd.units import ELECTRON_MASS_PER_AMU

_TERMS = {"epsilon": 3, "kappa": 4, "lambda": 5}
_PASSED_OVER = re.compile(r"(SOC|DM|MDM|EQM|charge|Multipolar)", re.IGNORECASE)
_DIPOLE = re.compile(r"DM([XYZ])\s+R", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]")
_MULTIPLICITIES = ("singlets", "doublets", "triplets", "quartets", "quintets")


@dataclass(frozen=True, kw_only=True, eq=False)
class VibronicTemplate:
    """A linear vibronic model of one multiplicity in normal coordinates, atomic units.

    Parameters
    ----------
    multiplicity
        Of the states taken.
    atomic_numbers, masses
        Of the atoms; 0 and any mass for model particles.
    positions
        R⁰, Bohr.
    frequencies
        ω, Hartree; zero for translations, rotations and inert coordinates.
    modes
        K, orthonormal columns in mass-weighted coordinates.
    energies
        ε on the diagonal, Hartree.
    slopes
        κ and λ: derivative of W along each dimensionless Q, Hartree.
    dipoles
        Dipole operator, e·Bohr; ``None`` if the template has none.
    """

    multiplicity: int
    atomic_numbers: Int[np.ndarray, " atom"]
    masses: Float[np.ndarray, " atom"]
    positions: Float[np.ndarray, "atom 3"]
    frequencies: Float[np.ndarray, " mode"]
    modes: Float[np.ndarray, "coordinate mode"]
    energies: Float[np.ndarray, "diabat diabat"]
    slopes: Float[np.ndarray, "diabat diabat mode"]
    dipoles: Float[np.ndarray, "diabat diabat 3"] | None = None


class _Term(NamedTuple):
    """One entry of a list; states and mode are counted from 0."""

    keyword: str
    multiplicity: int
    indices: tuple[int, ...]
    value: float
    where: str


def read_vibronic_template(path: Path, *, multiplicity: int | None = None) -> VibronicTemplate:
    """Read an ``LVC.template`` and the ``V0.txt`` it names.

    Parameters
    ----------
    path
        The template; ``V0.txt`` is looked for beside it.
    multiplicity
        Which states to take: 1 singlets, 3 triplets. May be left out if there is one kind only.

    Raises
    ------
    DataError
        If a file is missing or cannot be read, or the model is not linear; the line is named.
    ConfigError
        If a multiplicity must be chosen, or has no states.
    """
    lines = _lines(path)
    if len(lines) < 2 or not all(word.isdigit() for word in lines[1][1].split()):
        raise DataError(
            "expected the name of a V0 file in the first line and numbers of states in the second",
            where=str(path),
            hint="templates with the geometry inside (SHARC 2.0) must be split as SHARC 2.1 does",
        )
    counts = [int(word) for word in lines[1][1].split()]
    chosen = _multiplicity(counts, multiplicity, where=str(path))
    harmonic = _read_harmonic(path.parent / lines[0][1])
    terms = _read_terms(lines[2:], path)
    states, size = counts[chosen - 1], len(harmonic["frequencies"])
    energies, slopes = np.zeros((states, states)), np.zeros((states, states, size))
    limits = {"epsilon": (states,), "kappa": (states, size), "lambda": (states, states, size)}
    for term in terms:
        if term.multiplicity != chosen:
            continue
        if any(not 0 <= k < top for k, top in zip(term.indices, limits[term.keyword], strict=True)):
            raise DataError(f"{term.keyword}: no such state or mode", where=term.where)
        match term.keyword, term.indices:
            case "epsilon", (state,):
                energies[state, state] = term.value
            case "kappa", (state, mode):
                slopes[state, state, mode] = term.value
            case _, (first, second, mode):
                slopes[first, second, mode] = slopes[second, first, mode] = term.value
    if (np.abs(slopes).max((0, 1), initial=0.0) > 0)[harmonic["frequencies"] <= 0].any():
        raise DataError(
            "a mode of no positive frequency has a kappa or lambda",
            where=str(path),
            hint="Q is defined by the frequency of its mode",
        )
    return VibronicTemplate(
        multiplicity=chosen,
        **harmonic,
        energies=energies,
        slopes=slopes,
        dipoles=_read_dipoles(lines[2:], counts, chosen, path),
    )


def _multiplicity(counts: Sequence[int], asked: int | None, *, where: str) -> int:
    present = [k for k, count in enumerate(counts, start=1) if count]
    named = ", ".join(f"{_MULTIPLICITIES[k - 1]} ({k})" for k in present if k <= 5)
    if asked is None and len(present) == 1:
        return present[0]
    if asked not in present:
        raise ConfigError(
            f"the model has {named}; "
            + ("choose one kind" if asked is None else f"none of multiplicity {asked}"),
            where=where,
            hint="set potential.vibronic.multiplicity; spin-orbit coupling is not supported",
        )
    return asked


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not empty, comments taken out, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("this is not a text file", where=str(path)) from error
    numbered = enumerate((line.partition("#")[0].strip() for line in text.splitlines()), start=1)
    return [(number, line) for number, line in numbered if line]


def _read_terms(lines: Sequence[tuple[int, str]], path: Path) -> list[_Term]:
    """Every epsilon, kappa and lambda."""
    terms: list[_Term] = []
    place = 0
    while place < len(lines):
        number, line = lines[place]
        keyword = line.split()[0]
        place += 1
        if keyword in _TERMS:
            count = _count(lines, place, path)
            rows = lines[place + 1 : place + 1 + count]
            if len(rows) < count:
                raise DataError(f"{keyword}: the list is cut short", where=f"{path}, line {number}")
            terms += [_term(keyword, row, f"{path}, line {at}") for at, row in rows]
            place += 1 + count
        elif keyword in {"gamma", "eta"}:
            if _count(lines, place, path):
                raise DataError(
                    f"{keyword}: only linear models of one multiplicity can be used",
                    where=f"{path}, line {number}",
                    hint="fit the model without these terms",
                )
            place += 1
        elif _PASSED_OVER.match(keyword):
            while place < len(lines) and not _WORD.match(lines[place][1]):
                place += 1
        else:
            raise DataError(
                f"unknown keyword {keyword!r}",
                where=f"{path}, line {number}",
                hint=f"expected one of: {', '.join(_TERMS)}",
            )
    return terms


def _read_dipoles(
    lines: Sequence[tuple[int, str]], counts: Sequence[int], chosen: int, path: Path
) -> Float[np.ndarray, "diabat diabat 3"] | None:
    """Dipole operator of one component of the chosen multiplets, if there is any matrix."""
    whole = sum(k * count for k, count in enumerate(counts, start=1))
    before = sum(k * count for k, count in enumerate(counts[: chosen - 1], start=1))
    block = slice(before, before + counts[chosen - 1])
    found: dict[int, np.ndarray] = {}
    for place, (number, line) in enumerate(lines):
        if match := _DIPOLE.match(line):
            rows = [row.split() for _, row in lines[place + 1 : place + 1 + whole]]
            try:
                matrix = np.array(rows, dtype=np.float64).reshape(whole, whole)
            except ValueError as error:
                raise DataError(
                    f"{line}: expected a matrix of {whole} × {whole} numbers",
                    where=f"{path}, line {number}",
                    hint="all states count, multiplets with all their components",
                ) from error
            found["XYZ".index(match[1].upper())] = 0.5 * (matrix + matrix.T)[block, block]
    if not found:
        return None
    zero = np.zeros((counts[chosen - 1],) * 2)
    return np.stack([found.get(axis, zero) for axis in range(3)], axis=-1)


def _count(lines: Sequence[tuple[int, str]], place: int, path: Path) -> int:
    if place >= len(lines) or not lines[place][1].isdigit():
        number = lines[min(place, len(lines) - 1)][0]
        raise DataError("expected the number of entries", where=f"{path}, line {number}")
    return int(lines[place][1])


def _term(keyword: str, row: str, where: str) -> _Term:
    words = row.split()
    columns = _TERMS[keyword]
    if len(words) != columns:
        raise DataError(f"{keyword} cannot be read: expected {columns} columns", where=where)
    try:
        multiplicity, *indices = (int(word) for word in words[:-1])
        value = float(words[-1])
    except ValueError as error:
        raise DataError(f"{keyword} cannot be read: {error}", where=where) from error
    return _Term(keyword, multiplicity, tuple(k - 1 for k in indices), value, where)


def _read_harmonic(path: Path) -> dict[str, np.ndarray]:
    """Geometry, masses, frequencies and modes of ``V0.txt``."""
    titles = ("Geometry", "Frequencies", "Mass-weighted normal modes")
    parts: dict[str, list[str]] = {title: [] for title in titles}
    current: list[str] = []
    for _, line in _lines(path):
        if line in parts:
            current = parts[line]
        else:
            current.append(line)
    geometry, frequencies, modes = parts.values()
    try:
        table = np.array([line.split()[1:] for line in geometry], dtype=np.float64)
        size = 3 * len(table)
        found = {
            "atomic_numbers": table[:, 0].round().astype(np.int64),
            "positions": table[:, 1:4].copy(),
            "masses": table[:, 4] * ELECTRON_MASS_PER_AMU,
            "frequencies": np.array(" ".join(frequencies).split(), np.float64).reshape(size),
            "modes": np.array(" ".join(modes).split(), np.float64).reshape(size, size),
        }
    except (ValueError, IndexError) as error:
        raise DataError(
            f"the harmonic reference cannot be read: {error}",
            where=str(path),
            hint=f"expected the parts {', '.join(titles)}",
        ) from error
    vibrations = found["modes"][:, found["frequencies"] > 0]
    if np.abs(vibrations.T @ vibrations - np.eye(vibrations.shape[1])).max(initial=0.0) > 1e-3:
        raise DataError("the normal modes are not orthonormal", where=str(path))
    return found

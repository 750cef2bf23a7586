"""Factors to atomic units from units as files and people write them, e.g. ``eV/Angstrom``.

A unit is a product of the names in :data:`NAMES`, with ``*`` and ``/`` between them. Its
dimension must be that of the quantity, so that forces in Hartree or lengths in eV are refused.
``au`` stands for the atomic unit of whatever it is said of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from namd.errors import ConfigError, DataError
from namd.units import (
    ANGSTROM_PER_BOHR,
    DEBYE_PER_ATOMIC_DIPOLE,
    EV_PER_HARTREE,
    FS_PER_ATOMIC_TIME,
)


@dataclass(frozen=True)
class _Unit:
    """A factor to atomic units and powers of length, energy, charge and action."""

    factor: float
    powers: tuple[int, int, int, int]


_ONE = _Unit(1.0, (0, 0, 0, 0))
_BOHR = _Unit(1.0, (1, 0, 0, 0))
_ANGSTROM = _Unit(1.0 / ANGSTROM_PER_BOHR, (1, 0, 0, 0))
_HARTREE = _Unit(1.0, (0, 1, 0, 0))
NAMES: dict[str, _Unit] = {
    "1": _ONE,
    "bohr": _BOHR,
    "a0": _BOHR,
    "angstrom": _ANGSTROM,
    "ang": _ANGSTROM,
    "å": _ANGSTROM,
    "hartree": _HARTREE,
    "eh": _HARTREE,
    "ev": _Unit(1.0 / EV_PER_HARTREE, (0, 1, 0, 0)),
    "e": _Unit(1.0, (0, 0, 1, 0)),
    "debye": _Unit(1.0 / DEBYE_PER_ATOMIC_DIPOLE, (1, 0, 1, 0)),
    "hbar": _Unit(1.0, (0, 0, 0, 1)),
    "fs": _Unit(1.0 / FS_PER_ATOMIC_TIME, (0, -1, 0, 1)),
}
_ATOMIC = {"au", "a.u."}


def to_atomic(unit: str, *, expected: str, name: str) -> float:
    """Factor that turns numbers in ``unit`` into atomic units.

    Parameters
    ----------
    unit
        What the file or the user says, in any case of letters.
    expected
        The atomic unit of the quantity, as in :data:`namd.schema.PROPERTIES`.
    name
        What has that unit, for the message.

    Raises
    ------
    DataError
        If the unit is not known, or is one of something else.

    Examples
    --------
    >>> round(to_atomic("eV/Angstrom", expected="hartree/bohr", name="forces"), 6)
    0.019447
    """
    if unit.strip().lower() in _ATOMIC:
        return 1.0
    found, wanted = _parse(unit), _parse(expected)
    if found is None or wanted is None or found.powers != wanted.powers:
        raise DataError(
            f"the unit '{unit}' of '{name}' is not understood, expected one like {expected}",
            where=name,
            hint=f"say it with --units {name}=UNIT, made of {', '.join(NAMES)} with * and /, or au",
        )
    return found.factor


def parse_units(entries: Sequence[str], *, known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Split ``NAME=UNIT`` as given on the command line.

    Parameters
    ----------
    entries
        E.g. ``["forces=eV/Angstrom"]``.
    known
        Every quantity that may be named, and the atomic units it may have.

    Returns
    -------
    dict
        Unit by name.

    Raises
    ------
    ConfigError
        If an entry is none of that form, or names an unknown quantity or a wrong unit.
    """
    units = {}
    for entry in entries:
        name, equals, unit = entry.partition("=")
        if not equals or name not in known:
            raise ConfigError(
                f"expected NAME=UNIT with one of the names {', '.join(known)}",
                where=f"--units {entry}",
                hint="for example --units forces=eV/Angstrom",
            )
        if not any(_fits(unit, expected) for expected in known[name]):
            raise ConfigError(
                f"the unit '{unit}' of '{name}' is not understood, expected one like "
                f"{' or '.join(known[name])}",
                where=f"--units {entry}",
                hint=f"known: {', '.join(NAMES)}, au",
            )
        units[name] = unit
    return units


def _fits(unit: str, expected: str) -> bool:
    try:
        to_atomic(unit, expected=expected, name="")
    except DataError:
        return False
    return True


def _parse(text: str) -> _Unit | None:
    factor, powers = 1.0, [0, 0, 0, 0]
    sign = 1
    for word in text.lower().replace("*", " * ").replace("/", " / ").split():
        if word in ("*", "/"):
            sign = 1 if word == "*" else -1
            continue
        if word not in NAMES:
            return None
        unit = NAMES[word]
        factor *= unit.factor**sign
        powers = [old + sign * new for old, new in zip(powers, unit.powers, strict=True)]
        sign = 1
    return _Unit(factor, (powers[0], powers[1], powers[2], powers[3])) if text.strip() else None

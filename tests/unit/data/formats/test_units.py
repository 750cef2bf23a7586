"""Units as people write them."""

import ase.units
import pytest

from namd.data.formats.registry import UNITS
from namd.data.formats.units import parse_units, to_atomic
from namd.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("unit", "expected", "factor"),
    [
        ("Bohr", "bohr", 1.0),
        ("Ang", "bohr", 1 / ase.units.Bohr),
        ("eV", "hartree", 1 / ase.units.Hartree),
        ("Hartree / Bohr", "hartree/bohr", 1.0),
        ("eV/Å", "hartree/bohr", ase.units.Bohr / ase.units.Hartree),
        ("1/Angstrom", "1/bohr", ase.units.Bohr),
        ("Debye", "e*bohr", ase.units.Debye / ase.units.Bohr),
        ("e*Angstrom", "e*bohr", 1 / ase.units.Bohr),
        ("fs", "hbar/hartree", 1 / 0.024188843),
        ("a.u.", "hartree/bohr", 1.0),
    ],
)
def test_factor(unit, expected, factor):
    assert to_atomic(unit, expected=expected, name="x") == pytest.approx(factor, rel=1e-6)


@pytest.mark.parametrize("unit", ["Hartree", "kayser", "", "1", "Hartree*Bohr", "1/Bohr/Hartree"])
def test_a_unit_of_something_else_is_refused(unit):
    with pytest.raises(DataError, match="is not understood"):
        to_atomic(unit, expected="hartree/bohr", name="forces")


@pytest.mark.parametrize("entry", ["forces", "force=eV/Angstrom", "forces=eV"])
def test_a_wrong_option_is_refused(entry):
    with pytest.raises(ConfigError):
        parse_units([entry], known=UNITS)


def test_options():
    assert parse_units(["forces=eV/Å", "distance=Å"], known=UNITS) == {
        "forces": "eV/Å",
        "distance": "Å",
    }


def test_couplings_may_be_said_to_be_of_either_kind():
    for unit in ("1/Å", "eV/Å", "au"):
        assert parse_units([f"nacs={unit}"], known=UNITS) == {"nacs": unit}
    with pytest.raises(ConfigError, match="one like 1/bohr or hartree/bohr"):
        parse_units(["nacs=eV"], known=UNITS)

"""The ground state from ASE calculators: units, history, charge, and what can go wrong."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import constants

from namd.config.engine import AseConfig
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.ase_ground import AseEngine, make_ase
from namd.qm.protocol import Engine, check_arrays

H2 = Molecule.from_numbers(np.array([1, 1]))
EV = constants.physical_constants["Hartree energy in eV"][0]
BOHR = constants.physical_constants["Bohr radius"][0] * 1e10
MORSE = {"epsilon": 4.5, "r0": 0.74, "rho0": 1.5, "rcut1": 50.0, "rcut2": 60.0}

MODULE = """
import numpy as np
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes

class Remembers(Calculator):
    '''Energy: how often it was asked since its reset, plus the charge it was told of.'''
    implemented_properties = ["energy", "forces"]
    asked = 0

    def reset(self):
        super().reset()
        self.asked = 0

    def calculate(self, atoms, properties, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.asked += 1
        charge = atoms.get_initial_charges().sum() + atoms.info["charge"]
        self.results = {"energy": self.asked + charge, "forces": np.zeros((len(atoms), 3))}

class Fails(Calculator):
    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms, properties, system_changes=all_changes):
        raise RuntimeError("the SCF went astray")

def nothing():
    return 7
"""


def engine(calculator: str, base: Path, molecule: Molecule = H2, **arguments: Any) -> AseEngine:
    config = AseConfig(calculator=calculator, arguments=arguments, level_of_theory="Morse")
    return make_ase(config, molecule=molecule, base=base, scratch=None)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_calculators.py").write_text(MODULE)
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "own_calculators", raising=False)
    return tmp_path


def test_energy_and_force_are_those_of_the_formula() -> None:
    made = engine("ase.calculators.morse:MorsePotential", Path(), **MORSE)
    assert isinstance(made, Engine)
    info = made.describe()
    assert (info.level_of_theory, info.provides, len(info.states)) == ("Morse", (), 1)
    assert set(info.versions) == {"ase"}
    distance = 1.0
    places = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance / BOHR]])
    answer = made.label(places)
    check_arrays(answer.label.arrays(), info, atoms=2)
    decay = np.exp(-MORSE["rho0"] * (distance / MORSE["r0"] - 1))
    energy = MORSE["epsilon"] * decay * (decay - 2)
    slope = 2 * MORSE["epsilon"] * MORSE["rho0"] / MORSE["r0"] * decay * (1 - decay)
    assert answer.label.energies[0] * EV == pytest.approx(energy)
    assert answer.label.forces[0, 1, 2] * EV / BOHR == pytest.approx(-slope)
    assert answer.guess is None


def test_a_label_depends_neither_on_those_before_nor_loses_the_charge(own: Path) -> None:
    cation = Molecule.from_numbers(np.array([1, 1]), charge=1)
    made = engine("own_calculators:Remembers", own, cation)
    places = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    found = [made.label(places + shift).label.energies[0] * EV for shift in (0.0, 0.1, 0.1)]
    assert np.allclose(found, 1 + 1 + 1)


def test_what_fails_is_a_reason(own: Path) -> None:
    with pytest.raises(EngineError, match="RuntimeError: the SCF went astray"):
        engine("own_calculators:Fails", own).label(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("calculator", "arguments", "what"),
    [
        ("no_such_module:Calculator", {}, "there is no such module"),
        ("own_calculators:Nothing", {}, "has no function Nothing"),
        ("own_calculators:nothing", {}, "gives int, expected a calculator"),
        ("own_calculators:nothing", {"method": "x"}, "cannot be made: TypeError"),
    ],
)
def test_wrong_calculators_are_named(
    own: Path, calculator: str, arguments: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        engine(calculator, own, **arguments)
    assert caught.value.where == f"engine.calculator = {calculator}"


def test_xtb_through_tblite() -> None:
    """The bond of H2 with GFN2-xTB: energy at its minimum, and force by energy differences."""
    pytest.importorskip("tblite")
    made = engine("tblite.ase:TBLite", Path(), method="GFN2-xTB", verbosity=0, cache_api=False)
    assert set(made.describe().versions) == {"ase", "tblite"}

    def bond(length: float) -> np.ndarray:
        return np.array([[0.0, 0.0, 0.0], [0.0, 0.0, length / BOHR]])

    assert made.label(bond(0.7768)).label.energies[0] == pytest.approx(-0.98269, abs=1e-5)
    energies = [made.label(bond(length)).label.energies[0] for length in (0.899, 0.901)]
    force = made.label(bond(0.9)).label.forces[0, 1, 2]
    assert force == pytest.approx((energies[0] - energies[1]) / (0.002 / BOHR), rel=1e-4)

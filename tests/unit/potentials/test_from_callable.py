"""Potentials that a configuration names as module:function."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase.calculators.emt import EMT

from namd.config.potential import PotentialConfig
from namd.errors import ConfigError, DataError
from namd.potentials.calculator import CalculatorPotential
from namd.potentials.from_config import make_potential
from namd.potentials.protocol import Potential
from namd.potentials.tully import tully
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

MODULE = """
from ase import Atoms
from ase.calculators.emt import EMT
from namd.potentials.tully import tully

def atoms(distance=1.1):
    return Atoms("N2", [[0, 0, 0], [0, 0, distance]], calculator=EMT())

def model(number):
    return tully(number)

def unfit():
    return 42

def fails():
    raise RuntimeError("no licence found")

constant = 3
"""


@pytest.fixture(name="make")
def make_factory(tmp_path: Path):
    (tmp_path / "programs_of_a_test.py").write_text(MODULE)
    (tmp_path / "broken_program_of_a_test.py").write_text("import a_module_nobody_has\n")
    (tmp_path / "n2.xyz").write_text("2\n\nN 0 0 0\nN 0 0 1.1\n")

    def make(name: str, **options: Any) -> Potential:
        config = PotentialConfig.model_validate({"calculator": {"callable": name, **options}})
        return make_potential(config, base=tmp_path, device="cpu")

    return make


def test_a_calculator_of_ase_needs_a_geometry_and_no_code(make) -> None:
    potential = make("ase.calculators.emt:EMT", geometry="n2.xyz")
    assert isinstance(potential, CalculatorPotential)
    assert potential.molecule.symbols == ("N", "N")
    assert len(potential.states) == 1
    x = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]]], dtype=torch.float64)
    found = potential.surfaces(x, torch.zeros(1, dtype=torch.int64))
    from ase import Atoms

    expected = Atoms("N2", x[0].numpy() * ANGSTROM_PER_BOHR, calculator=EMT())
    energy = expected.get_potential_energy() / EV_PER_HARTREE
    assert found.energies[0, 0].item() == pytest.approx(energy, rel=1e-12)


def test_atoms_and_potentials_are_taken_as_they_are(make) -> None:
    molecule = make("programs_of_a_test:atoms", arguments={"distance": 1.2}).molecule
    np.testing.assert_array_equal(molecule.atomic_numbers, [7, 7])
    several = make("programs_of_a_test:model", arguments={"number": 2})
    assert several.describe() == tully(2).describe()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a_module_nobody_has:f", {}, r"no such module.*put a_module_nobody_has\.py beside"),
        ("broken_program_of_a_test:f", {}, "cannot be imported: ModuleNotFoundError"),
        ("programs_of_a_test:atom", {}, 'no function atom.*Did you mean "atoms"?'),
        ("programs_of_a_test:constant", {}, "no function constant"),
        ("programs_of_a_test:unfit", {}, "returns int, expected an ASE calculator"),
        ("programs_of_a_test:fails", {}, "RuntimeError: no licence found"),
        ("programs_of_a_test:atoms", {"arguments": {"size": 1}}, "TypeError.*size"),
        ("programs_of_a_test:atoms", {"geometry": "n2.xyz"}, "leave .*geometry out"),
        ("ase.calculators.emt:EMT", {}, "a calculator knows no atoms"),
    ],
)
def test_what_cannot_be_called_is_told(
    make, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make(name, **options)


def test_a_geometry_that_is_missing_is_told(make) -> None:
    with pytest.raises(DataError, match="no such file"):
        make("ase.calculators.emt:EMT", geometry="gone.xyz")


@pytest.mark.parametrize("name", ["emt", "emt:", ":EMT", "my program:f", "a..b:f"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="callable"):
        PotentialConfig.model_validate({"calculator": {"callable": name}})

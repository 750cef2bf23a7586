"""Functions as engines: units, conventions, and every way in which they can go wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import constants

from namd.config.engine import CallableConfig
from namd.config.labelling import LabellingConfig
from namd.config.loading import validate
from namd.errors import ConfigError, EngineError
from namd.molecule import Molecule
from namd.qm.function import FunctionEngine
from namd.qm.protocol import Engine, check_arrays

ATOMIC = {
    "energies": {"key": "e", "unit": "hartree"},
    "forces": {"key": "f", "unit": "hartree/bohr", "kind": "force"},
    "couplings": {"key": "h", "unit": "hartree/bohr", "kind": "interstate"},
}
EV = constants.physical_constants["Hartree energy in eV"][0]
BOHR = constants.physical_constants["Bohr radius"][0] * 1e10


def engine(function: Callable[..., Any], states: int = 2, **changes: Any) -> FunctionEngine:
    section = {"callable": "m:f", "level_of_theory": "test", "states": states, **ATOMIC, **changes}
    return FunctionEngine(
        molecule=Molecule.from_numbers(np.array([1, 8])),
        config=CallableConfig.model_validate(section),
        function=function,
    )


def returning(**values: Any) -> Callable[..., Any]:
    base = {"e": [0.1, 0.3], "f": np.ones((2, 2, 3)), "h": np.full((2, 3), 0.5)}
    return lambda *_, **__: {**base, **values}


def test_the_function_gets_what_the_configuration_says() -> None:
    seen: list[Any] = []

    def function(*arguments: Any, **named: Any) -> dict[str, Any]:
        seen.append((arguments, named))
        return returning(g=7)()

    positions = np.arange(6.0).reshape(2, 3)
    found = engine(function, arguments={"basis": "b"}, guess={"argument": "start", "key": "g"})
    assert isinstance(found, Engine)
    assert found.label(positions, guess=3).guess == 7
    (symbols, places), named = seen[0]
    assert symbols == ["H", "O"]
    assert np.allclose(places, positions * BOHR)
    assert named == {"basis": "b", "start": 3}
    engine(function, elements="numbers", positions_unit="bohr").label(positions)
    assert seen[1][0][0] == [1, 8]
    assert np.array_equal(seen[1][0][1], positions)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("hartree", 1.0),
        ("ev", 1 / EV),
        ("kcal/mol", 1 / 627.5094740631),
        ("kj/mol", 1 / 2625.4996394799),
        ("1/cm", 1 / 219474.6313632),
    ],
)
def test_units_of_energies(unit: str, factor: float) -> None:
    label = engine(returning(), energies={"key": "e", "unit": unit}).label(np.zeros((2, 3))).label
    assert np.allclose(label.energies, np.array([0.1, 0.3]) * factor, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("hartree/bohr", 1.0), ("hartree/angstrom", BOHR), ("ev/angstrom", BOHR / EV)],
)
def test_units_of_gradients_and_couplings(unit: str, factor: float) -> None:
    label = (
        engine(
            returning(),
            forces={"key": "f", "unit": unit, "kind": "gradient"},
            couplings={"key": "h", "unit": unit, "kind": "smooth"},
        )
        .label(np.zeros((2, 3)))
        .label
    )
    assert np.allclose(label.forces, -factor, rtol=1e-9, atol=0)
    assert label.interstate_coupling is not None
    assert np.allclose(label.interstate_coupling, -0.5 * factor, rtol=1e-9, atol=0)


@pytest.mark.parametrize(("unit", "factor"), [("1/bohr", 1.0), ("1/angstrom", BOHR)])
def test_nonadiabatic_couplings_become_interstate_ones(unit: str, factor: float) -> None:
    couplings = {"key": "h", "unit": unit, "kind": "nonadiabatic"}
    label = engine(returning(), couplings=couplings).label(np.zeros((2, 3))).label
    assert label.interstate_coupling is not None
    assert np.allclose(label.interstate_coupling, 0.5 * factor * 0.2, rtol=1e-9, atol=0)


def test_units_of_dipoles() -> None:
    for unit, factor in (("e*bohr", 1.0), ("e*angstrom", 1 / BOHR), ("debye", 1 / 2.541746473)):
        dipoles = {"key": "mu", "unit": unit}
        made = engine(returning(mu=[1.0, 2.0, 3.0]), transition_dipoles=dipoles)
        found = made.label(np.zeros((2, 3))).label.transition_dipoles
        assert found is not None
        assert np.allclose(found, [np.array([1.0, 2.0, 3.0]) * factor], rtol=1e-8)


def test_a_matrix_over_states_becomes_the_pairs_in_their_order() -> None:
    matrix = np.arange(9.0)[:, None, None] * np.ones((9, 2, 3))
    function = returning(e=[0.0, 0.1, 0.2], f=np.zeros((3, 2, 3)), h=matrix.reshape(3, 3, 2, 3))
    made = engine(function, states=3)
    label = made.label(np.zeros((2, 3))).label
    check_arrays(label.arrays(), made.describe(), atoms=2)
    assert label.interstate_coupling is not None
    assert label.interstate_coupling[:, 0, 0].tolist() == [1.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda *_: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda *_: [1, 2], "returned list, expected a dictionary"),
        (lambda *_: {"E": 1}, "returned no 'e', but E"),
        (returning(e="high"), "'e' of the function is no array of numbers"),
        (returning(e=[0.3, 0.1]), "do not ascend"),
        (returning(e=[0.1, np.nan]), "'energies' holds values that are not finite"),
        (returning(e=[0.1]), r"'energies' has the shape \[1\], expected \[2\]"),
        (returning(h=np.zeros((2, 2, 3))), r"'interstate_coupling' has the shape \[2, 2, 3\]"),
    ],
)
def test_what_goes_wrong_is_a_reason_and_no_crash(
    function: Callable[..., Any], reason: str
) -> None:
    made = engine(function)
    with pytest.raises(EngineError, match=reason):
        made.label(np.zeros((2, 3)))


def test_a_callable_needs_no_name() -> None:
    section = {"callable": "m:f", "level_of_theory": "test", **ATOMIC}
    config = validate({"engine": section}, LabellingConfig, where="x.yaml")
    assert config.engine.name == "callable"


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"couplings": {"key": "h", "unit": "1/bohr", "kind": "smooth"}}, "couplings", "an energy"),
        ({"forces": {"key": "f", "unit": "hartree/bohr"}}, "forces.kind", "required"),
        ({"callable": "no-module"}, "callable", "pattern"),
        ({"energies": {"key": "e", "unit": "rydberg"}}, "energies.unit", "hartree"),
    ],
)
def test_wrong_keys_are_named(change: dict[str, Any], where: str, what: str) -> None:
    section = {"callable": "m:f", "level_of_theory": "test", **ATOMIC, **change}
    with pytest.raises(ConfigError, match=what) as caught:
        validate({"engine": section}, LabellingConfig, where="x.yaml")
    assert f"x.yaml  engine.{where}" in str(caught.value.where)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    from namd.qm.registry import make_engine

    section = {"callable": "nowhere_at_all:f", "level_of_theory": "test", **ATOMIC}
    config = validate({"engine": section}, LabellingConfig, where="x.yaml")
    with pytest.raises(ConfigError, match="there is no such module"):
        make_engine(config.engine, molecule=Molecule.from_numbers(np.array([1, 8])), base=tmp_path)

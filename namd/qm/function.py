"""The engine ``callable``: any Python function that computes one geometry.

The configuration declares under which key, in which unit and by which convention each quantity is
returned; what comes in is converted to ours and checked in shape before it is a label.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import constants

from namd.config.engine import CallableConfig, CouplingQuantity
from namd.errors import EngineError
from namd.io.python_function import import_function, package_version
from namd.molecule import Molecule
from namd.qm.protocol import Answer, EngineInfo, Guess, Label, check_arrays
from namd.states import StateSpace
from namd.units import (
    ANGSTROM_PER_BOHR,
    DEBYE_PER_ATOMIC_DIPOLE,
    EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
    EV_PER_HARTREE,
    HARTREE_J,
    HARTREE_PER_INVERSE_CM,
)

_KJ_PER_MOL = 1000.0 / (constants.N_A * HARTREE_J)

_TO_ATOMIC = {
    "hartree": 1.0,
    "ev": 1.0 / EV_PER_HARTREE,
    "kcal/mol": 4.184 * _KJ_PER_MOL,
    "kj/mol": _KJ_PER_MOL,
    "1/cm": HARTREE_PER_INVERSE_CM,
    "hartree/bohr": 1.0,
    "hartree/angstrom": ANGSTROM_PER_BOHR,
    "ev/angstrom": 1.0 / EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
    "1/bohr": 1.0,
    "1/angstrom": ANGSTROM_PER_BOHR,
    "e*bohr": 1.0,
    "e*angstrom": 1.0 / ANGSTROM_PER_BOHR,
    "debye": 1.0 / DEBYE_PER_ATOMIC_DIPOLE,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionEngine:
    """An :class:`~namd.qm.protocol.Engine`, made by :func:`make_function`.

    Parameters
    ----------
    molecule
        The atoms.
    config
        Units and conventions.
    function
        What is called.
    """

    molecule: Molecule
    config: CallableConfig
    function: Callable[..., Any]

    def describe(self) -> EngineInfo:
        """What the configuration says."""
        given = {
            "interstate_coupling": self.config.couplings,
            "transition_dipoles": self.config.transition_dipoles,
            "diabatic_hamiltonian": self.config.diabatic_hamiltonian,
        }
        return EngineInfo(
            name="callable",
            level_of_theory=self.config.level_of_theory,
            states=StateSpace.singlets(self.config.states),
            provides=tuple(name for name, quantity in given.items() if quantity is not None),
            multiplicity=self.config.multiplicity,
            versions=package_version(self.config.callable),
        )

    def label(
        self, positions: Float[np.ndarray, "atom 3"], *, guess: Guess | None = None
    ) -> Answer:
        """Call the function (positions in Bohr).

        Raises
        ------
        EngineError
            If it fails, or does not return what the configuration says.
        """
        config = self.config
        angstrom = config.positions_unit == "angstrom"
        places = positions * ANGSTROM_PER_BOHR if angstrom else positions.copy()
        symbols = config.elements == "symbols"
        elements = list(self.molecule.symbols if symbols else self.molecule.atomic_numbers.tolist())
        warm = {} if config.guess is None else {config.guess.argument: guess}
        try:
            returned = self.function(elements, places, **config.arguments, **warm)
        except Exception as error:  # somebody else's code fails in its own way
            raise EngineError(f"{type(error).__name__}: {error}") from error
        if not isinstance(returned, Mapping):
            raise EngineError(
                f"{config.callable} returned {type(returned).__name__}, expected a dictionary"
            )
        return Answer(
            label=self._label(returned),
            guess=None if config.guess is None else _value(returned, config.guess.key),
        )

    def _label(self, returned: Mapping[str, Any]) -> Label:
        """Bring what was returned into our units and conventions."""
        config = self.config
        energies = _numbers(returned, config.energies.key, config.energies.unit)
        forces = _numbers(returned, config.forces.key, config.forces.unit)
        arrays = {
            "energies": energies,
            "forces": -forces if config.forces.kind == "gradient" else forces,
        }
        if config.couplings is not None:
            arrays["interstate_coupling"] = self._coupling(returned, config.couplings, energies)
        if config.transition_dipoles is not None:
            dipoles = config.transition_dipoles
            values = _numbers(returned, dipoles.key, dipoles.unit)
            arrays["transition_dipoles"] = self._pairs(values, axes=1)
        if config.diabatic_hamiltonian is not None:
            matrix = config.diabatic_hamiltonian
            arrays["diabatic_hamiltonian"] = _numbers(returned, matrix.key, matrix.unit)
        check_arrays(arrays, self.describe(), atoms=len(self.molecule))
        return Label(
            energies=arrays["energies"],
            forces=arrays["forces"],
            interstate_coupling=arrays.get("interstate_coupling"),
            transition_dipoles=arrays.get("transition_dipoles"),
            diabatic_hamiltonian=arrays.get("diabatic_hamiltonian"),
        )

    def _coupling(
        self, returned: Mapping[str, Any], quantity: CouplingQuantity, energies: np.ndarray
    ) -> np.ndarray:
        values: np.ndarray = self._pairs(_numbers(returned, quantity.key, quantity.unit), axes=2)
        if quantity.kind == "nonadiabatic":
            first, second = np.triu_indices(len(energies), k=1)
            gaps = energies[second] - energies[first]
            if len(values) == len(gaps):  # otherwise its shape is complained about later
                values = values * gaps[:, None, None]
        return -values if quantity.kind == "smooth" else values

    def _pairs(self, values: np.ndarray, *, axes: int) -> np.ndarray:
        """Put what is given for one pair, or as a matrix over states, on a ``pair`` axis."""
        states = self.config.states
        if values.ndim == axes and states == 2:
            return values[None]
        if values.ndim == axes + 2 and values.shape[:2] == (states, states):
            first, second = np.triu_indices(states, k=1)
            upper: np.ndarray = values[first, second]
            return upper
        return values


def make_function(
    config: CallableConfig, *, molecule: Molecule, base: Path, scratch: Path | None
) -> FunctionEngine:
    """Import the function.

    Parameters
    ----------
    config
        Which one, and what it returns.
    molecule
        The atoms.
    base
        Folder in which its module is looked for first.
    scratch
        Not used: a function has its own ways.

    Raises
    ------
    ConfigError
        If there is no such function.
    """
    del scratch
    where = f"engine.callable = {config.callable}"
    function = import_function(config.callable, base=base, where=where)
    return FunctionEngine(molecule=molecule, config=config, function=function)


def _value(returned: Mapping[str, Any], key: str) -> Any:
    if key not in returned:
        known = ", ".join(map(str, returned))
        raise EngineError(f"the function returned no '{key}', but {known or 'nothing'}")
    return returned[key]


def _numbers(returned: Mapping[str, Any], key: str, unit: str) -> np.ndarray:
    """One quantity as numbers in atomic units."""
    try:
        values = np.asarray(_value(returned, key), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EngineError(f"'{key}' of the function is no array of numbers") from error
    return values * _TO_ATOMIC[unit]

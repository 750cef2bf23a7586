"""The engine ``ase``: energy and forces of the ground state from any calculator of ASE.

For what comes before excited states: minima, Hessians and Wigner samples from a cheap method such
as xTB. The calculator is reset before each geometry, so that a label does not depend on those
before it (tblite keeps its wave function all the same unless ``cache_api`` is false).

A charge goes to the calculator as equal initial charges of the atoms and as ``info['charge']``; one
that looks at neither takes it among ``engine.arguments``.
"""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from jaxtyping import Float

from namd.config.engine import AseConfig
from namd.errors import ConfigError, EngineError
from namd.io.python_function import import_function, package_version
from namd.molecule import Molecule
from namd.qm.protocol import Answer, EngineInfo, Guess, Label
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR, EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE


@dataclass(frozen=True, kw_only=True, eq=False)
class AseEngine:
    """An :class:`~namd.qm.protocol.Engine`, made by :func:`make_ase`.

    Parameters
    ----------
    molecule
        The atoms, with their charge.
    config
        What the calculator is.
    calculator
        Of ASE.
    """

    molecule: Molecule
    config: AseConfig
    calculator: BaseCalculator

    def describe(self) -> EngineInfo:
        """One state, energy and forces."""
        return EngineInfo(
            name="ase",
            level_of_theory=self.config.level_of_theory,
            states=StateSpace.singlets(1),
            provides=(),
            versions={"ase": version("ase"), **package_version(self.config.calculator)},
        )

    def label(
        self,
        positions: Float[np.ndarray, "atom 3"],
        *,
        guess: Guess | None = None,  # noqa: ARG002  (each geometry is computed afresh)
    ) -> Answer:
        """Compute the ground state (positions in Bohr).

        Raises
        ------
        EngineError
            If the calculator fails, or gives no energy or forces.
        """
        atoms = Atoms(
            numbers=self.molecule.atomic_numbers,
            positions=positions * ANGSTROM_PER_BOHR,
            charges=np.full(len(positions), self.molecule.charge / len(positions)),
            info={"charge": self.molecule.charge},
        )
        atoms.calc = self.calculator
        try:
            if hasattr(self.calculator, "reset"):
                self.calculator.reset()
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        except Exception as error:  # somebody else's code fails in its own way
            raise EngineError(f"{type(error).__name__}: {error}") from error
        return Answer(
            label=Label(
                energies=np.array([float(energy) / EV_PER_HARTREE]),
                forces=np.asarray(forces, dtype=np.float64)[None]
                / EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
            )
        )


def make_ase(
    config: AseConfig, *, molecule: Molecule, base: Path, scratch: Path | None
) -> AseEngine:
    """Make the calculator.

    Parameters
    ----------
    config
        Which one.
    molecule
        The atoms, with their charge.
    base
        Folder in which its module is looked for first.
    scratch
        Not used: calculators have ways of their own.

    Raises
    ------
    ConfigError
        If there is no such class or function, it fails, or it gives something else.
    """
    del scratch
    where = f"engine.calculator = {config.calculator}"
    function = import_function(config.calculator, base=base, where=where)
    try:
        made: Any = function(**config.arguments)
    except Exception as error:  # somebody else's code fails in its own way
        raise ConfigError(
            f"the calculator cannot be made: {type(error).__name__}: {error}",
            where=where,
            hint="try the call in Python; its arguments stand in engine.arguments",
        ) from error
    if not isinstance(made, BaseCalculator):
        raise ConfigError(
            f"this gives {type(made).__name__}, expected a calculator of ASE",
            where=where,
            hint="name the class of a calculator, or a function that makes one",
        )
    return AseEngine(molecule=molecule, config=config, calculator=made)

"""A potential made by a function that a configuration names: anybody's program, no change in namd.

``module:function`` is imported (from the folder of the configuration first, then as Python does)
and called once. What it may return:

* an ASE calculator: ground-state dynamics of the atoms in a geometry file;
* :class:`ase.Atoms` with a calculator attached: the same, with atoms of its own;
* any :class:`~namd.potentials.protocol.Potential`, for several states best a
  :class:`~namd.potentials.calculator.CalculatorPotential`, whose adapter has one method.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from namd.errors import ConfigError, NamdError
from namd.io.geometry_file import read_atoms
from namd.io.python_function import import_function
from namd.potentials.calculator import ase_potential
from namd.potentials.protocol import Potential

_KEY = "potential.calculator.callable"


def potential_from_callable(
    name: str, *, arguments: Mapping[str, Any], geometry: Path | None, base: Path
) -> Potential:
    """Import a function, call it, and make a potential of what it returns.

    Parameters
    ----------
    name
        ``module:function``; a class such as ``ase.calculators.emt:EMT`` will do.
    arguments
        Keyword arguments of the call.
    geometry
        File with the atoms, needed for a bare ASE calculator and for nothing else.
    base
        Folder in which modules are looked for first.

    Raises
    ------
    ConfigError
        If there is no such module or function, if it fails, or if it returns something else.
    DataError
        If the geometry cannot be read.
    """
    where = f"{_KEY} = {name}"
    function = import_function(name, base=base, where=where)
    try:
        made = function(**arguments)
    except NamdError:
        raise
    except Exception as error:  # somebody else's code fails in its own way
        raise ConfigError(
            f"the function fails: {type(error).__name__}: {error}",
            where=where,
            hint="try the call in Python; its arguments stand in potential.calculator.arguments",
        ) from error
    if isinstance(made, BaseCalculator):
        if geometry is None:
            raise ConfigError(
                "a calculator knows no atoms",
                where=where,
                hint="give a geometry file in potential.calculator.geometry",
            )
        atoms = read_atoms(geometry, index="-1")[0]
        atoms.calc = made
        return ase_potential(atoms)
    if geometry is not None:
        raise ConfigError(
            f"{type(made).__name__} is no bare ASE calculator, which alone needs a geometry",
            where=where,
            hint="leave potential.calculator.geometry out",
        )
    if isinstance(made, Atoms):
        return ase_potential(made)
    if not isinstance(made, Potential) or isinstance(made, type):
        raise ConfigError(
            f"the function returns {type(made).__name__}, expected an ASE calculator, ase.Atoms "
            "with a calculator, or a potential",
            where=where,
            hint="for several states return a namd.potentials.calculator.CalculatorPotential",
        )
    return made

"""Whether a molecule has the electrons that an active space needs."""

from namd.errors import ConfigError
from namd.molecule import Molecule


def check_electrons(molecule: Molecule, *, active: int) -> None:
    """Refuse open shells, and active spaces larger than the molecule.

    Parameters
    ----------
    molecule
        With its charge.
    active
        Electrons of the active space.

    Raises
    ------
    ConfigError
        If the number of electrons is odd or smaller than ``active``.
    """
    electrons = int(molecule.atomic_numbers.sum()) - molecule.charge
    if electrons % 2:
        raise ConfigError(
            f"the molecule has {electrons} electrons, expected an even number",
            where=f"charge = {molecule.charge}",
            hint="only singlets are computed",
        )
    if electrons < active:
        raise ConfigError(
            f"the molecule has only {electrons} electrons",
            where=f"engine.active_electrons = {active}",
            hint="make the active space smaller",
        )

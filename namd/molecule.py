"""What a molecule is, apart from where its atoms are."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import atomic_masses_iupac2016, chemical_symbols
from jaxtyping import Float, Int

from namd.errors import DataError
from namd.units import ELECTRON_MASS_PER_AMU


@dataclass(frozen=True, eq=False)
class Molecule:
    """Atomic numbers and masses of a fixed sequence of atoms.

    Parameters
    ----------
    atomic_numbers
        One per atom. 0 stands for a model particle without an element (Tully's models).
    masses
        In electron masses; IUPAC 2016 averages if left out.
    charge
        Total charge in e.
    """

    atomic_numbers: Int[np.ndarray, " atom"]
    masses: Float[np.ndarray, " atom"]
    charge: int = 0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.masses).all() and (self.masses > 0).all()):
            raise DataError("atomic masses must be positive numbers", where="molecule")

    @classmethod
    def from_numbers(cls, atomic_numbers: Int[np.ndarray, " atom"], charge: int = 0) -> "Molecule":
        """Molecule with the elements' average masses."""
        numbers = np.asarray(atomic_numbers, dtype=np.int64)
        if numbers.ndim != 1 or (numbers < 1).any() or (numbers >= len(chemical_symbols)).any():
            raise DataError(f"atomic numbers {numbers.tolist()} are not all elements")
        masses = atomic_masses_iupac2016[numbers] * ELECTRON_MASS_PER_AMU
        return cls(atomic_numbers=numbers, masses=masses, charge=charge)

    def __len__(self) -> int:
        return len(self.atomic_numbers)

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Element symbols, ``X`` for a model particle."""
        return tuple(chemical_symbols[z] for z in self.atomic_numbers)

    @cached_property
    def formula(self) -> str:
        """Hill formula, e.g. ``C14H12``."""
        from ase.formula import Formula  # noqa: PLC0415  (0.1 s, only for messages)

        return str(Formula.from_list(list(self.symbols)).format("hill"))

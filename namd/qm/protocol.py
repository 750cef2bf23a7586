"""What every reference engine is: one geometry in, the electronic structure of all states out.

Couplings are interstate couplings h_ij = ⟨i|∇H|j⟩ = d_ij (E_j − E_i) inside, which stay finite at
an intersection; each state has one arbitrary sign, which couplings and transition dipoles of a
label share. Engines are named in :mod:`namd.qm.registry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float

from namd.errors import EngineError
from namd.states import StateSpace

Guess: TypeAlias = Any
"""What an engine wants to be given at a neighbouring geometry, e.g. its orbitals: numbers, texts
and arrays in dicts and lists (:mod:`namd.qm.guess_file`)."""

OPTIONAL = ("interstate_coupling", "transition_dipoles", "diabatic_hamiltonian")
"""Properties that not every engine has."""


class LostGuessError(EngineError):
    """The states that the guess described are not found again.

    A cold start would perhaps label others, so that there is none.
    """


@dataclass(frozen=True, kw_only=True, eq=False)
class Label:
    """Electronic structure of one geometry, atomic units.

    Parameters
    ----------
    energies
        E_k, ascending, Hartree.
    forces
        −∇E_k, Hartree/Bohr.
    interstate_coupling
        h_ij of all pairs i < j (01, 02, 12, …), Hartree/Bohr.
    transition_dipoles
        ⟨i|μ|j⟩ of all pairs, e·Bohr.
    diabatic_hamiltonian
        W of a method that has one, Hartree; diabats have arbitrary signs.
    notes
        How the label was found, e.g. which of several solutions it is.
    """

    energies: Float[np.ndarray, " state"]
    forces: Float[np.ndarray, "state atom 3"]
    interstate_coupling: Float[np.ndarray, "pair atom 3"] | None = None
    transition_dipoles: Float[np.ndarray, "pair 3"] | None = None
    diabatic_hamiltonian: Float[np.ndarray, "diabat diabat"] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    def arrays(self) -> dict[str, np.ndarray]:
        """What there is, under the names of the registry of properties."""
        names = ("energies", "forces", *OPTIONAL)
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """A label, and what makes the next one cheaper.

    Parameters
    ----------
    label
        Of the geometry asked for.
    guess
        For a neighbouring geometry; ``None`` from an engine that always starts cold.
    """

    label: Label
    guess: Guess | None = None


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """What an engine is and gives.

    Parameters
    ----------
    name
        Its name in the registry.
    level_of_theory
        The method in words; labels of equal words may be mixed.
    states
        The states of every label.
    provides
        Which of :data:`OPTIONAL` every label has.
    multiplicity
        Spin multiplicity 2S + 1 of the states.
    versions
        Of the programs behind it.
    """

    name: str
    level_of_theory: str
    states: StateSpace
    provides: tuple[str, ...]
    multiplicity: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Engine(Protocol):
    """Electronic structure of one molecule."""

    def describe(self) -> EngineInfo:
        """Level of theory, states, and what every label has."""
        ...

    def label(
        self, positions: Float[np.ndarray, "atom 3"], *, guess: Guess | None = None
    ) -> Answer:
        """Compute one geometry (Bohr), from the guess of a neighbour where one is given.

        Raises
        ------
        EngineError
            If this geometry cannot be labelled, with the reason.
        """
        ...


def check_arrays(arrays: Mapping[str, np.ndarray], info: EngineInfo, *, atoms: int) -> None:
    """Refuse what cannot be the label that an engine says it gives.

    Parameters
    ----------
    arrays
        As :meth:`Label.arrays` has them.
    info
        Of the engine.
    atoms
        Of the molecule.

    Raises
    ------
    EngineError
        If something is missing, of the wrong shape or not finite, or energies do not ascend.
    """
    states, pairs = len(info.states), len(info.states.pairs)
    shapes: dict[str, tuple[int, ...]] = {
        "energies": (states,),
        "forces": (states, atoms, 3),
        "interstate_coupling": (pairs, atoms, 3),
        "transition_dipoles": (pairs, 3),
    }
    for name in ("energies", "forces", *info.provides):
        if name not in arrays:
            raise EngineError(f"the label has no '{name}', which the engine should give")
        found = arrays[name].shape
        diabats = (found[0], found[0]) if found else ()
        if found != shapes.get(name, diabats):
            raise EngineError(
                f"'{name}' has the shape {list(found)}, expected {list(shapes.get(name, diabats))}"
            )
        if not np.isfinite(arrays[name]).all():
            raise EngineError(f"'{name}' holds values that are not finite")
    if (np.diff(arrays["energies"]) < 0).any():
        shown = ", ".join(f"{energy:.8f}" for energy in arrays["energies"])
        raise EngineError(f"the energies do not ascend: {shown} hartree")

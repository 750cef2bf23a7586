"""What DFTB+ prints of an SSR(2,2) calculation, as a label; and its complaints, as reasons.

Coupling and transition dipole are of the same run, so that they share the signs of the states. The
"H vector" is d_01 = ⟨0|∇1⟩; the "h vector" is ∇W_01 between the two ensemble states and no coupling
of adiabatic states. Energies are printed with eight decimals, 5·10⁻⁹ Hartree.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from namd.errors import EngineError
from namd.qm.protocol import Label

_NUMBER = r"(-?\d+\.\d+(?:[EeDd][-+]?\d+)?)"
_NOT_CONVERGED = re.compile(r"SCC is NOT converged|is exceeded in (?:NR|CG) solver")


class NotConvergedError(EngineError):
    """An iteration came to no end: the same at every trial, so that other starts may stand in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """One self-consistent solution.

    Parameters
    ----------
    label
        Energies, forces, h, transition dipole and W = diag(PPS, OSS) + W_01.
    averaged_energy
        (E_PPS + E_OSS)/2, which the SCF minimises, Hartree.
    """

    label: Label
    averaged_energy: float

    @property
    def gap(self) -> float:
        """E_1 − E_0, Hartree."""
        return float(self.label.energies[1] - self.label.energies[0])


def read_solution(output: str, transition_dipole: str, *, atoms: int) -> Solution:
    """Read what one run printed.

    Parameters
    ----------
    output
        stdout.
    transition_dipole
        Content of ``tdp.dat``.
    atoms
        How many there are.

    Raises
    ------
    EngineError
        If something is missing.
    """
    lines = output.splitlines()
    ensemble = [_after(lines, rf"^\s*{state}\s+{_NUMBER}\s+\d") for state in ("PPS", "OSS")]
    matrix = _rows(lines, "Hamiltonian matrix", skip=1, count=2)
    states = _rows(lines, "2SI-2SA-REKS(2,2) states", skip=1, count=2)
    try:
        hamiltonian = np.array([[float(word) for word in row[1:3]] for row in matrix])
        energies = np.array([float(row[3]) for row in states])
    except (ValueError, IndexError) as error:
        raise EngineError(f"DFTB+ printed a state that cannot be read: {error}") from error
    forces = -np.stack([_vectors(lines, f"{order} state (SSR)", atoms) for order in ("1st", "2nd")])
    derivative_coupling = _vectors(lines, "H vector - DCV", atoms)
    label = Label(
        energies=energies,
        forces=forces,
        interstate_coupling=(derivative_coupling * (energies[1] - energies[0]))[None],
        transition_dipoles=_dipole(transition_dipole)[None],
        diabatic_hamiltonian=hamiltonian,
    )
    return Solution(label=label, averaged_energy=sum(ensemble) / 2)


def check_convergence(output: str) -> None:
    """Refuse a run one of whose iterations did not converge.

    Raises
    ------
    NotConvergedError
        Telling which.
    """
    if found := _NOT_CONVERGED.search(output):
        raise NotConvergedError(f"DFTB+ did not converge: {found.group(0)}")


def error_message(output: str) -> str | None:
    """What DFTB+ says went wrong, if it says so."""
    found = re.search(r"ERROR!\s*\n->\s*(.+)", output)
    return found.group(1).strip() if found else None


def release_of(output: str) -> str | None:
    """Release in the banner: ``24.1``, ``development version``; ``None`` without a banner."""
    found = re.search(r"^\|\s+DFTB\+ (?:release (\S+)|(development version))", output, re.MULTILINE)
    return (found.group(1) or found.group(2)) if found else None


def _after(lines: list[str], pattern: str) -> float:
    """Last number that the pattern catches."""
    found = [match.group(1) for line in lines if (match := re.search(pattern, line))]
    if not found:
        raise EngineError("DFTB+ printed no energies of the ensemble states")
    return float(found[-1])


def _rows(lines: list[str], heading: str, *, skip: int, count: int) -> list[list[str]]:
    """Words of the lines under a heading, the last of its name."""
    places = [number for number, line in enumerate(lines) if heading in line]
    if not places:
        raise EngineError(f"DFTB+ printed no '{heading}'")
    first = places[-1] + 1 + skip
    rows = [line.split() for line in lines[first : first + count]]
    if len(rows) < count:
        raise EngineError(f"the output of DFTB+ ends within '{heading}'")
    return rows


def _vectors(lines: list[str], heading: str, atoms: int) -> Float[np.ndarray, "atom 3"]:
    rows = _rows(lines, heading, skip=0, count=atoms)
    try:
        return np.array([[float(word) for word in row] for row in rows]).reshape(atoms, 3)
    except ValueError as error:
        raise EngineError(f"'{heading}' of DFTB+ cannot be read: {error}") from error


def _dipole(text: str) -> Float[np.ndarray, "3"]:
    """Row in atomic units of ``tdp.dat``."""
    found = re.search(rf"\(au\)\s*:\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}", text)
    if found is None:
        raise EngineError("DFTB+ left no transition dipole in tdp.dat")
    return np.array([float(word) for word in found.groups()])

"""What OpenMolcas prints of a state-averaged calculation, as a label; its complaints, as reasons.

ALASKA prints two parts of the coupling f_ij = ⟨i|∇j⟩. The *CI derivative coupling* is
h_ij = ⟨i|∇H|j⟩ with the response of orbitals and coefficients: invariant under translations, finite
at an intersection, and what a label keeps. The *CSF derivative coupling*, which comes from basis
functions that move with the nuclei, is left out; its norm times the gap stands in the notes.
Couplings and transition dipoles are of the same wave functions and share their signs. Energies are
printed with eight decimals, 5·10⁻⁹ Hartree.

References
----------
I. Fdez. Galván et al., J. Chem. Theory Comput. 12, 3636 (2016), DOI 10.1021/acs.jctc.6b00384.
"""

import re
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from namd.errors import EngineError
from namd.qm.protocol import EngineInfo, Label

_START = re.compile(r"^--- Start Module: (\w+) at .*$", re.MULTILINE)
_STOP = re.compile(r"^--- Stop Module: (\w+) at .*/rc=(\S+) ---$", re.MULTILINE)
_WELL = ("_RC_ALL_IS_WELL_", "_RC_INVOKED_OTHER_MODULE_")
_ENERGY = re.compile(r"RASSCF root number\s+(\d+)\s+Total energy:\s+(-?\d+\.\d+)")
_RESPONSE = re.compile(
    r"Lagrangian multipliers are calculated for states? no\.\s*(\d+)(?:/\s*(\d+))?"
)
_RELEASE = re.compile(r"version:?\s+v?(\d+\.\d+)")
_RULE = re.compile(r"^\s*-{40,}\s*$")


def release_of(output: str) -> str | None:
    """Release in the banner, e.g. ``22.10``; ``None`` without a banner."""
    if "MOLCAS" not in output:
        return None
    found = _RELEASE.search(output)
    return found.group(1) if found else None


def python_error(output: str) -> str | None:
    """Last line of a Python traceback, where the driver itself has failed."""
    if "Traceback (most recent call last)" not in output or _START.search(output):
        return None
    return output.strip().splitlines()[-1].strip()


def complaint(output: str) -> str | None:
    """Why the program stopped before its end, in words; ``None`` where it did not."""
    begun, ended = _START.findall(output), _STOP.findall(output)
    if len(begun) > len(ended):
        return f"{begun[-1].upper()} ended before its time"
    for module, code in ended:
        if code == "_RC_NOT_CONVERGED_":
            return f"{module.upper()} did not converge"
        if code not in _WELL:
            words = code.removeprefix("_RC_").strip("_").lower().replace("_", " ")
            return f"{module.upper()} failed: {_boxed_error(output) or f'return code {words}'}"
    return None


def read_label(
    output: str, info: EngineInfo, *, atoms: int, notes: Mapping[str, str] | None = None
) -> Label:
    """Read what one run printed.

    Parameters
    ----------
    output
        stdout, of a run that went well.
    info
        States, and what there is beside energies and forces.
    atoms
        How many there are.
    notes
        What else the label shall tell.

    Raises
    ------
    EngineError
        If something is missing.
    """
    pairs = info.states.pairs
    responses = _by_response(output)
    gradients = [
        _vectors(_of(responses, (root,)), "Molecular gradients", atoms)
        for root in range(1, len(info.states) + 1)
    ]
    told = dict(notes or {})
    energies = _energies(output, states=len(info.states))
    couplings = None
    if "interstate_coupling" in info.provides:
        texts = [_of(responses, (i + 1, j + 1)) for i, j in pairs]
        couplings = np.stack([_vectors(text, "CI derivative coupling", atoms) for text in texts])
        terms = [
            np.linalg.norm(_vectors(text, "CSF derivative coupling", atoms))
            * (energies[j] - energies[i])
            for text, (i, j) in zip(texts, pairs, strict=True)
        ]
        told["determinant term"] = ", ".join(f"{term:.1e} hartree/bohr" for term in terms)
    matrix = _dipole_matrix(output, states=len(info.states))
    return Label(
        energies=energies,
        forces=-np.stack(gradients),
        interstate_coupling=couplings,
        transition_dipoles=np.stack([matrix[:, i, j] for i, j in pairs]),
        notes=told,
    )


def _energies(output: str, *, states: int) -> Float[np.ndarray, " state"]:
    found = {int(root): float(energy) for root, energy in _ENERGY.findall(output)}
    if sorted(found) != list(range(1, states + 1)):
        raise EngineError(f"OpenMolcas printed energies of {len(found)} roots, expected {states}")
    return np.array([found[root] for root in sorted(found)])


def _by_response(output: str) -> dict[tuple[int, ...], str]:
    """Output between one call of MCLR and the next, by the root or the two roots of it."""
    found = list(_RESPONSE.finditer(output))
    ends = [*(match.start() for match in found[1:]), len(output)]
    return {
        tuple(int(root.strip("/ ")) for root in match.groups() if root): output[match.end() : end]
        for match, end in zip(found, ends, strict=True)
    }


def _of(responses: Mapping[tuple[int, ...], str], roots: tuple[int, ...]) -> str:
    if roots not in responses:
        shown = " and ".join(map(str, roots))
        raise EngineError(f"OpenMolcas solved no response equations of root {shown}")
    return responses[roots]


def _vectors(text: str, heading: str, atoms: int) -> Float[np.ndarray, "atom 3"]:
    """Rows of the table under a heading in a box."""
    lines = text.splitlines()
    place = next((k for k, line in enumerate(lines) if line.strip(" *") == heading), None)
    if place is None:
        raise EngineError(f"OpenMolcas printed no '{heading}'")
    rules = [k for k in range(place, len(lines)) if _RULE.match(lines[k])][:3]
    if len(rules) < 3:
        raise EngineError(f"the output of OpenMolcas ends within '{heading}'")
    rows = [line.split() for line in lines[rules[1] + 1 : rules[2]]]
    try:
        return np.array([[float(word) for word in row[-3:]] for row in rows]).reshape(atoms, 3)
    except ValueError as error:
        raise EngineError(f"'{heading}' of OpenMolcas cannot be read: {error}") from error


def _dipole_matrix(output: str, *, states: int) -> Float[np.ndarray, "3 state state"]:
    """⟨i|μ|j⟩ of the input states of RASSI, which it prints in blocks of columns."""
    matrix = np.full((3, states, states), np.nan)
    sections = re.findall(
        r"PROPERTY: MLTPL  1\s+COMPONENT:\*?\s+(\d)(.*?)(?=PROPERTY:|^--|\Z)",
        output,
        re.MULTILINE | re.DOTALL,
    )
    try:
        for component, section in sections:
            columns: list[int] = []
            for line in section.splitlines():
                words = line.split()
                if line.strip().startswith("STATE"):
                    columns = [int(word) - 1 for word in words if word.isdigit()]
                elif columns and len(words) == len(columns) + 1:
                    row = int(words[0]) - 1
                    numbers = [float(word.replace("D", "E")) for word in words[1:]]
                    matrix[int(component) - 1, row, columns] = numbers
    except (ValueError, IndexError) as error:
        raise EngineError(f"the dipole matrix of OpenMolcas cannot be read: {error}") from error
    if np.isnan(matrix).any():
        raise EngineError("OpenMolcas printed no whole dipole matrix")
    return matrix


def _boxed_error(output: str) -> str | None:
    """What stands in the box of an error, up to its first empty line."""
    lines = re.findall(r"^ ###(.*)###$", output, re.MULTILINE)
    first = next((k for k, line in enumerate(lines) if line.strip().startswith("ERROR")), None)
    if first is None:
        return None
    words: list[str] = []
    for line in lines[first:]:
        if not line.strip(" #"):
            break
        words += line.split()
    return " ".join(words).removeprefix("ERROR: ")

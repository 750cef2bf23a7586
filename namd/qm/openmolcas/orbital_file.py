"""Orbitals in OpenMolcas's text format (INPORB), and how alike two active spaces are."""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import polar

from namd.errors import EngineError

_NUMBER = re.compile(r"-?\d\.\d+E[-+]\d+")
_ACTIVE = "2"
"""Type of the active orbitals (RAS2); f, i, s and d are the others."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Orbitals:
    """Molecular orbitals.

    Parameters
    ----------
    coefficients
        Over basis functions.
    active
        Which of them are active.
    """

    coefficients: Float[np.ndarray, "basis orbital"]
    active: list[int]


def read_orbitals(text: str) -> Orbitals:
    """Read what RASSCF has left.

    Parameters
    ----------
    text
        Of ``RasOrb``, without symmetry.

    Raises
    ------
    EngineError
        If it cannot be read.
    """
    sections = dict(re.findall(r"^#(\w+)[^\n]*\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL))
    numbers = [float(word) for word in _NUMBER.findall(sections.get("ORB", ""))]
    kinds = "".join(
        line.split()[1]
        for line in sections.get("INDEX", "").splitlines()
        if line[:1].isdigit() and len(line.split()) == 2
    )
    size = len(kinds)
    if not size or len(numbers) != size**2:
        raise EngineError(
            f"the orbital file cannot be read: {len(numbers)} coefficients of {size} orbitals"
        )
    return Orbitals(
        coefficients=np.array(numbers).reshape(size, size).T,
        active=[number for number, kind in enumerate(kinds) if kind == _ACTIVE],
    )


def active_overlap(first: Orbitals, second: Orbitals) -> float:
    """Smallest singular value of the overlap of two active spaces at neighbouring geometries.

    Each set is taken in the symmetrically orthogonalised basis of its own geometry, X = S^½ C. No
    overlap matrix is needed: with CᵀSC = 1 the orthogonal factor of the polar decomposition of C
    is X.

    Parameters
    ----------
    first, second
        Orbitals of one basis set at two geometries.

    Raises
    ------
    EngineError
        If they are of different basis sets or active spaces.
    """
    sizes = [(len(one.coefficients), len(one.active)) for one in (first, second)]
    if sizes[0] != sizes[1]:
        raise EngineError(
            f"the neighbour's orbitals are {sizes[0][0]}, {sizes[0][1]} of them active, expected "
            f"{sizes[1][0]} and {sizes[1][1]}"
        )
    bases = [polar(one.coefficients)[0][:, one.active] for one in (first, second)]
    return float(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).min())

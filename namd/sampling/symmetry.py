"""Symmetry of a geometry, and what of a Hessian follows from it.

An operation is a numbering g of equal atoms with an orthogonal matrix Q for which
r[g(i)] = Q r[i] about the centre. Gradients go with the atoms, so that the blocks ∂²E/∂r_i∂r_a of a
Hessian obey H[g(i), g(a)] = Q H[i, a] Qᵀ: of atoms that are equivalent one alone need be moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from namd.data.permutations import bonds, equivalent_numberings
from namd.errors import ConfigError
from namd.molecule import Molecule

TOLERANCE = 2e-3
"""Bohr: a fifth of the step of differences, whose error of third derivatives is then the larger."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Operation:
    """One symmetry operation.

    Parameters
    ----------
    numbering
        Atom ``numbering[i]`` is where Q takes atom i.
    matrix
        Q, proper or not.
    """

    numbering: Int[np.ndarray, " atom"]
    matrix: Float[np.ndarray, "3 3"]


def symmetry_operations(
    molecule: Molecule, positions: Float[np.ndarray, "atom 3"], *, tolerance: float = TOLERANCE
) -> list[Operation]:
    """One operation for every exchange of equal atoms that is a symmetry; the identity first.

    Parameters
    ----------
    molecule, positions
        A geometry, Bohr.
    tolerance
        Largest distance of an atom from where an operation should take it, Bohr.

    Returns
    -------
    list of Operation
        Nothing but the identity where bonds allow too many exchanges to try.
    """
    try:
        numberings = equivalent_numberings(molecule, bonds(molecule, positions))
    except ConfigError:
        numberings = np.arange(len(molecule))[None]
    centred = positions - positions.mean(0)
    found = []
    for numbering in numberings:
        # The orthogonal matrix that takes all atoms nearest to where they should come (Schönemann).
        left, _, right = np.linalg.svd(centred[numbering].T @ centred)
        matrix = left @ right
        missed = np.linalg.norm(centred[numbering] - centred @ matrix.T, axis=1).max()
        if missed <= tolerance:
            found.append(Operation(numbering=numbering, matrix=matrix))
    return found


def representatives(operations: Sequence[Operation]) -> list[int]:
    """The first of every set of equivalent atoms."""
    return [
        atom
        for atom in range(len(operations[0].numbering))
        if min(operation.numbering[atom] for operation in operations) == atom
    ]


def complete_hessian(
    columns: Float[np.ndarray, "moved 3 atom 3"], operations: Sequence[Operation]
) -> Float[np.ndarray, "coordinate coordinate"]:
    """Fill a Hessian from the columns of the :func:`representatives`.

    Parameters
    ----------
    columns
        Derivatives of the gradient along x, y, z of every representative, Hartree/Bohr².
    operations
        As found by :func:`symmetry_operations`.

    Returns
    -------
    numpy.ndarray
        Flattened over (atom, xyz), symmetrised, Hartree/Bohr².
    """
    atoms = columns.shape[2]
    blocks = np.zeros((atoms, 3, atoms, 3))  # [atom, xyz, moved atom, direction]
    for atom, column in zip(representatives(operations), columns, strict=True):
        block = column.transpose(1, 2, 0)  # [atom, xyz, direction]
        for operation in reversed(operations):  # the identity last: what was computed stands
            matrix, numbering = operation.matrix, operation.numbering
            turned = np.einsum("xy,iyd,ed->ixe", matrix, block, matrix)
            blocks[numbering, :, numbering[atom]] = turned
    hessian = blocks.reshape(3 * atoms, 3 * atoms)
    return np.asarray(0.5 * (hessian + hessian.T))

"""Linear vibronic coupling: diabatic harmonic surfaces of equal stiffness, linearly coupled.

W(R) = ½(R − R₀)ᵀK(R − R₀) 1 + E + λ·(R − R₀), with E a constant and λ a linear symmetric matrix.
The simplest model with genuine conical intersections, in any number of atoms and states.

Reference: H. Köppel, W. Domcke, L. S. Cederbaum, Adv. Chem. Phys. 57 (1984) 59,
DOI 10.1002/9780470142813.ch2.
"""

from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from namd.errors import ConfigError
from namd.io.vibronic_template import read_vibronic_template
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential, HarmonicReference
from namd.states import StateSpace


def linear_vibronic(
    molecule: Molecule,
    states: StateSpace,
    *,
    reference: Float64[Tensor, "atom 3"],
    stiffness: float | Float64[Tensor, "coordinate coordinate"],
    energies: Float64[Tensor, "diabat diabat"],
    slopes: Float64[Tensor, "diabat diabat atom 3"],
    dipoles: Float64[Tensor, "diabat diabat 3"] | None = None,
    name: str | None = None,
) -> DiabaticPotential:
    """Linear vibronic coupling model.

    Parameters
    ----------
    molecule, states
        What is modelled; with fewer states than diabats the lowest are kept.
    reference
        R₀, Bohr.
    stiffness
        K, Hartree/Bohr²: one number for every coordinate, or a symmetric matrix over (atom, xyz).
    energies
        W at R₀, symmetric, Hartree.
    slopes
        λ = ∇W at R₀, symmetric in the diabats, Hartree/Bohr.
    dipoles
        Constant dipole operator in the diabatic basis, symmetric, e·Bohr; if known.
    name
        Printed and written into files.

    Raises
    ------
    ConfigError
        If a matrix is not symmetric: forces and energies would disagree.
    """
    if isinstance(stiffness, Tensor):
        matrix = stiffness
    else:
        matrix = stiffness * torch.eye(reference.numel(), dtype=torch.float64)
    tables = [("energies", energies), ("slopes", slopes), ("stiffness", matrix)]
    for what, table in [*tables, *([("dipoles", dipoles)] if dipoles is not None else [])]:
        if not torch.equal(table, table.transpose(0, 1)):
            between = "coordinates" if what == "stiffness" else "diabats"
            raise ConfigError(
                f"must be symmetric in the {between}", where=f"vibronic model, {what}"
            )
    unit = torch.eye(len(energies), dtype=torch.float64)
    pull = _linear_map(matrix)
    # Coordinates without a slope, such as y and z of model particles, cost nothing.
    tilted = slopes.flatten(2).abs().amax((0, 1)).nonzero().squeeze(1).tolist()
    terms = [(k, slopes.flatten(2)[..., k]) for k in tilted]

    def hamiltonian(positions: Tensor) -> Tensor:
        moved = (positions - reference.to(positions)).flatten(1)
        bowl = 0.5 * reduce(torch.add, (moved * pull(moved)).unbind(1))
        flat = bowl[:, None, None] * unit.to(moved) + energies.to(moved)
        tilts = (moved[:, k, None, None] * slope.to(moved) for k, slope in terms)
        return reduce(torch.add, tilts, flat)

    def gradient(positions: Tensor) -> Tensor:
        moved = (positions - reference.to(positions)).flatten(1)
        back = pull(moved).reshape(positions.shape)
        return back[:, None, None] * unit.to(moved)[:, :, None, None] + slopes.to(moved)

    numbers = {"energies": energies, "slopes": slopes, "reference": reference}
    if dipoles is not None:
        numbers["dipoles"] = dipoles
    return DiabaticPotential(
        molecule=molecule,
        states=states,
        hamiltonian=hamiltonian,
        gradient=gradient,
        name=name or f"linear vibronic model of {len(energies)} diabats",
        parameters=tuple(
            (f"{key}[{k}]", float(table.flatten()[k]))
            for key, table in (*numbers.items(), ("stiffness", matrix))
            for k in table.flatten().nonzero().squeeze(1).tolist()
        ),
        harmonic=HarmonicReference(positions=reference.numpy(), hessian=matrix.numpy()),
        dipoles=dipoles,
    )


def _linear_map(matrix: Float64[Tensor, "coordinate coordinate"]) -> Callable[[Tensor], Tensor]:
    """Multiply rows of coordinates by ``matrix`` in a fixed order of additions."""
    diagonal = matrix.diagonal().clone()
    if torch.equal(matrix, torch.diag(diagonal)):
        return lambda moved: moved * diagonal.to(moved)

    def apply(moved: Tensor) -> Tensor:
        columns = matrix.to(moved).unbind(1)
        return reduce(torch.add, (moved[:, k, None] * column for k, column in enumerate(columns)))

    return apply


def vibronic_from_template(path: Path, *, multiplicity: int | None = None) -> DiabaticPotential:
    """Model in the text format of SHARC, in Cartesian coordinates.

    Parameters
    ----------
    path
        ``LVC.template``, with its ``V0.txt`` beside it.
    multiplicity
        See :func:`~namd.io.vibronic_template.read_vibronic_template`.

    Raises
    ------
    DataError, ConfigError
        As the reader does.
    """
    template = read_vibronic_template(path, multiplicity=multiplicity)
    root_mass = np.repeat(np.sqrt(template.masses), 3)
    # ∂Q_i/∂R_α = √ω_i K_αi √M_α
    directions = root_mass[:, None] * template.modes * np.sqrt(template.frequencies.clip(min=0.0))
    hessian = (directions * template.frequencies) @ directions.T
    size = len(template.energies)
    slopes = (template.slopes @ directions.T).reshape(size, size, -1, 3)
    letter = "SDTQ"[template.multiplicity - 1 : template.multiplicity] or "M"
    return linear_vibronic(
        Molecule(atomic_numbers=template.atomic_numbers, masses=template.masses),
        StateSpace(tuple(f"{letter}{k}" for k in range(size))),
        reference=torch.as_tensor(template.positions),
        stiffness=torch.as_tensor(0.5 * (hessian + hessian.T)),
        energies=torch.as_tensor(template.energies),
        slopes=torch.as_tensor(slopes),
        dipoles=None if template.dipoles is None else torch.as_tensor(template.dipoles),
        name=f"linear vibronic model of {path.parent.name}",
    )

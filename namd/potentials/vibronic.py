"""Linear vibronic coupling: diabatic harmonic surfaces of equal stiffness, linearly coupled.

W(R) = ½k|R − R₀|² 1 + E + λ·(R − R₀), with E a constant and λ a linear symmetric matrix. The
simplest model with genuine conical intersections, in any number of atoms and states.

Reference: H. Köppel, W. Domcke, L. S. Cederbaum, Adv. Chem. Phys. 57 (1984) 59,
DOI 10.1002/9780470142813.ch2.
"""

from functools import reduce

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.states import StateSpace


def linear_vibronic(
    molecule: Molecule,
    states: StateSpace,
    *,
    reference: Float64[Tensor, "atom 3"],
    stiffness: float,
    energies: Float64[Tensor, "diabat diabat"],
    slopes: Float64[Tensor, "diabat diabat atom 3"],
) -> DiabaticPotential:
    """Linear vibronic coupling model.

    Parameters
    ----------
    molecule, states
        What is modelled; with fewer states than diabats the lowest are kept.
    reference
        R₀, Bohr.
    stiffness
        k, Hartree/Bohr².
    energies
        W at R₀, symmetric, Hartree.
    slopes
        λ = ∇W at R₀, symmetric in the diabats, Hartree/Bohr.

    Raises
    ------
    ConfigError
        If a matrix is not symmetric: forces and energies would disagree.
    """
    for name, matrix in (("energies", energies), ("slopes", slopes)):
        if not torch.equal(matrix, matrix.transpose(0, 1)):
            raise ConfigError("must be symmetric in the diabats", where=f"vibronic model, {name}")
    unit = torch.eye(len(energies), dtype=torch.float64, device=energies.device)
    terms = slopes.flatten(2).unbind(-1)

    def hamiltonian(positions: Tensor) -> Tensor:
        moved = (positions - reference).flatten(1).unbind(1)
        bowl = 0.5 * stiffness * reduce(torch.add, (x * x for x in moved))
        tilt = (x[:, None, None] * slope for x, slope in zip(moved, terms, strict=True))
        return reduce(torch.add, tilt, bowl[:, None, None] * unit + energies)

    def gradient(positions: Tensor) -> Tensor:
        pull = stiffness * (positions - reference)
        return pull[:, None, None] * unit[:, :, None, None] + slopes

    return DiabaticPotential(
        molecule=molecule,
        states=states,
        hamiltonian=hamiltonian,
        gradient=gradient,
        name=f"linear vibronic model of {len(energies)} diabats",
        parameters=(
            ("stiffness", stiffness),
            *((f"energies[{k}]", float(e)) for k, e in enumerate(energies.flatten())),
            *((f"slopes[{k}]", float(s)) for k, s in enumerate(slopes.flatten())),
            *((f"reference[{k}]", float(r)) for k, r in enumerate(reference.flatten())),
        ),
    )

"""A potential of one particle along x from the curves of its diabatic matrix; y and z are inert."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential
from namd.states import StateSpace

Curves = Callable[[Float64[Tensor, " traj"]], Float64[Tensor, "traj diabat diabat"]]
"""x in Bohr → W(x) in Hartree, or dW/dx in Hartree/Bohr."""


def one_dimensional(
    *,
    name: str,
    mass: float,
    states: int,
    values: Curves,
    slopes: Curves,
    parameters: tuple[tuple[str, float], ...],
) -> DiabaticPotential:
    """Model of one particle that moves along x.

    Parameters
    ----------
    name
        Printed and written into files.
    mass
        Of the particle, electron masses.
    states
        How many diabatic (and adiabatic) states.
    values, slopes
        W(x) and dW/dx.
    parameters
        The numbers of the model.
    """
    return DiabaticPotential(
        molecule=Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.array([mass])),
        states=StateSpace.singlets(states),
        hamiltonian=lambda positions: values(_coordinate(positions)),
        gradient=lambda positions: _along_x(slopes(_coordinate(positions))),
        name=name,
        parameters=parameters,
    )


def _coordinate(positions: Float64[Tensor, "traj atom 3"]) -> Float64[Tensor, " traj"]:
    """Take x of the only particle, contiguous so that every function sees the same memory."""
    return positions[:, 0, 0].contiguous()


def _along_x(
    slope: Float64[Tensor, "traj diabat diabat"],
) -> Float64[Tensor, "traj diabat diabat 1 3"]:
    """Give dW/dx the shape of ∇W: zero along y and z."""
    return torch.nn.functional.pad(slope[..., None, None], (0, 2))

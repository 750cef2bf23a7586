"""What is known about Tully's models: exact results, and surface hopping of another program.

Exact means: of the stationary Schrödinger equation for one incoming momentum, without a wave packet
to average over. :func:`exact_channels` solves it for any momentum. Two tables travel with the
package: ``exact``, from an independent program (finite differences with exact outgoing boundaries,
unitary to 1e-10; in the long-range model 3 it agrees to 2e-4, as this solver does on a grid that
ends 13 Bohr from the origin), and ``fssh``, from an independent surface-hopping program (2000
trajectories without decoherence, standard error at most 0.011).
"""

import csv
from functools import cache
from importlib.resources import files
from typing import Literal

import torch
from jaxtyping import Float64
from numpy import ndarray

from namd.potentials.from_config import TULLY_NUMBERS
from namd.potentials.tully import MASS, tully
from namd.validation.channels import Channels
from namd.validation.scattering import scatter

Model = Literal["sac", "dac", "ecr"]
"""Simple and dual avoided crossing, extended coupling with reflection."""

_EDGE = 25.0
"""Bohr from the origin at which every coupling is constant to 1e-10 Hartree."""


@cache
def table(name: Literal["exact", "fssh"]) -> dict[tuple[str, float], Channels]:
    """Tabulated fractions by model and momentum (module docstring)."""
    text = (files("namd.validation") / "data" / f"tully_{name}.csv").read_text(encoding="utf-8")
    return {
        (row["model"].lower(), float(row["momentum"])): Channels(
            transmission_lower=float(row["T_lower"]),
            transmission_upper=float(row["T_upper"]),
            reflection_lower=float(row["R_lower"]),
            reflection_upper=float(row["R_upper"]),
        )
        for row in csv.DictReader(text.splitlines())
    }


def exact_channels(model: Model, momentum: float, *, refinement: float = 1.0) -> Channels:
    """Solve for the exact fractions of a model at any momentum.

    Parameters
    ----------
    model
        Which of Tully's.
    momentum
        Of the particle far on the left, atomic units.
    refinement
        As for :func:`namd.validation.scattering.scatter`.

    Raises
    ------
    ConfigError
        If the momentum is not positive or too large for the grid.
    PhysicsError
        If the solution is not unitary.
    """
    potential = tully(TULLY_NUMBERS[model])

    def hamiltonian(x: Float64[ndarray, " point"]) -> Float64[ndarray, "point 2 2"]:
        positions = torch.zeros(len(x), 1, 3, dtype=torch.float64)
        positions[:, 0, 0] = torch.from_numpy(x)
        return potential.hamiltonian(positions).numpy()

    found = scatter(
        hamiltonian, mass=MASS, momentum=momentum, left=-_EDGE, right=_EDGE, refinement=refinement
    )
    (t_lower, t_upper), (r_lower, r_upper) = found.transmission.tolist(), found.reflection.tolist()
    return Channels(
        transmission_lower=t_lower,
        transmission_upper=t_upper,
        reflection_lower=r_lower,
        reflection_upper=r_upper,
    )

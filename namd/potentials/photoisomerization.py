r"""Two states, a torsion and a coupling mode: the model of retinal's photoisomerisation.

.. math::

    W_{00} &= \tfrac12 V_0 (1 - \cos\varphi) + \tfrac12 \omega q^2 \\
    W_{11} &= E_1 - \tfrac12 V_1 (1 - \cos\varphi) + \tfrac12 \omega q^2 + \kappa q \\
    W_{01} &= \lambda q

with the kinetic energy :math:`p_\varphi^2/2I + \omega p_q^2/2`. φ = 0 is cis, ±π trans; the
surfaces intersect conically at q = 0, near φ = ±π/2.

The torsion φ (in radians) is x of a first model particle of mass I, the dimensionless q is x of a
second one of mass 1/ω.

Reference: S. Hahn, G. Stock, J. Phys. Chem. B 104 (2000) 1146, DOI 10.1021/jp992939g.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from namd.molecule import Molecule
from namd.potentials.diabatic import DiabaticPotential, HarmonicReference
from namd.states import StateSpace
from namd.units import EV_PER_HARTREE

PARAMETERS_EV = {
    "inverse_inertia": 4.84e-4,
    "E1": 2.48,
    "V0": 3.6,
    "V1": 1.09,
    "omega": 0.19,
    "kappa": 0.10,
    "lambda": 0.19,
}


def photoisomerization() -> DiabaticPotential:
    """Two-state, two-mode model of Hahn and Stock.

    Examples
    --------
    >>> len(photoisomerization().molecule)
    2
    """
    number = {key: value / EV_PER_HARTREE for key, value in PARAMETERS_EV.items()}
    omega = number["omega"]
    # About cis the torsion of the ground state is an oscillator of force constant V0/2.
    stiffness = np.diag([0.5 * number["V0"], 0.0, 0.0, omega, 0.0, 0.0])
    return DiabaticPotential(
        molecule=Molecule(
            atomic_numbers=np.zeros(2, dtype=np.int64),
            masses=np.array([1.0 / number["inverse_inertia"], 1.0 / omega]),
        ),
        states=StateSpace.singlets(2),
        hamiltonian=_hamiltonian(number),
        gradient=_gradient(number),
        name="photoisomerization (Hahn, Stock)",
        parameters=tuple(PARAMETERS_EV.items()),
        harmonic=HarmonicReference(positions=np.zeros((2, 3)), hessian=stiffness),
    )


def _hamiltonian(number: dict[str, float]) -> Callable[[Tensor], Tensor]:
    def hamiltonian(
        positions: Float64[Tensor, "traj 2 3"],
    ) -> Float64[Tensor, "traj 2 2"]:
        turn, q = positions[:, 0, 0].contiguous(), positions[:, 1, 0].contiguous()
        half, spring = 0.5 * (1.0 - turn.cos()), 0.5 * number["omega"] * q * q
        lower = number["V0"] * half + spring
        upper = number["E1"] - number["V1"] * half + spring + number["kappa"] * q
        return _symmetric(lower, number["lambda"] * q, upper)

    return hamiltonian


def _gradient(number: dict[str, float]) -> Callable[[Tensor], Tensor]:
    def gradient(positions: Float64[Tensor, "traj 2 3"]) -> Float64[Tensor, "traj 2 2 2 3"]:
        turn, q = positions[:, 0, 0].contiguous(), positions[:, 1, 0].contiguous()
        slope, pull = 0.5 * turn.sin(), number["omega"] * q
        nothing = torch.zeros_like(q)
        along_turn = _symmetric(number["V0"] * slope, nothing, -number["V1"] * slope)
        along_q = _symmetric(pull, nothing + number["lambda"], pull + number["kappa"])
        both = torch.stack((along_turn, along_q), -1)
        return torch.nn.functional.pad(both[..., None], (0, 2))

    return gradient


def _symmetric(a: Tensor, b: Tensor, d: Tensor) -> Float64[Tensor, "traj 2 2"]:
    return torch.stack((torch.stack((a, b), 1), torch.stack((b, d), 1)), 2)

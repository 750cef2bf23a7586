r"""Propagate amplitudes with energies and a time-derivative coupling given in every substep.

.. math::

    \mathcal R = \prod_{k=1}^{n} \exp\{[-iH_k - T_k]\, dt/n\},
    \qquad H_k = H(t) + \tfrac kn [H(t+dt) - H(t)]

with H the diagonal matrix of the adiabatic energies and later factors to the left. What methods
differ in is where T comes from.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.dynamics.electronic.protocol import ElectronicStep, SubstepPath
from namd.dynamics.electronic.unitary import coupled_product, with_phase
from namd.errors import ConfigError


def propagate_coupled(
    energies_before: Float64[Tensor, "traj state"],
    energies_after: Float64[Tensor, "traj state"],
    *,
    couplings: Float64[Tensor, "traj substep state state"],
    timestep: float,
) -> ElectronicStep:
    """𝓡 of the module docstring and the way there.

    Parameters
    ----------
    energies_before, energies_after
        Adiabatic energies at t and t + dt, Hartree.
    couplings
        T_k, inverse atomic units of time; their number is that of the substeps.
    timestep
        dt, atomic units.
    """
    substeps = couplings.shape[1]
    mean_before, mean_after = energies_before.mean(-1), energies_after.mean(-1)
    before = (energies_before - mean_before[:, None])[:, None]
    after = (energies_after - mean_after[:, None])[:, None]
    weights = substep_weights(substeps, like=couplings)[:, None]
    product, factors = coupled_product(
        before + weights * (after - before), couplings, duration=timestep / substeps
    )
    weight = (substeps + 1) / (2 * substeps)  # mean of k/n
    phase = (mean_before + weight * (mean_after - mean_before)) * timestep
    return ElectronicStep(
        propagator=with_phase(product.real, product.imag, phase),
        path=SubstepPath(factors=factors, couplings=couplings, duration=timestep / substeps),
    )


def substep_weights(substeps: int, *, like: Tensor) -> Float64[Tensor, " substep"]:
    """k/n for k = 1 … n."""
    return torch.arange(1, substeps + 1, dtype=like.dtype, device=like.device) / substeps


def check_substeps(substeps: int) -> None:
    """Refuse a number of substeps below one."""
    if substeps < 1:
        raise ConfigError(
            "the propagation of the amplitudes needs at least one substep",
            where=f"substeps = {substeps}",
        )

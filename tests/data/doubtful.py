"""Tully's first model as two would see it who agree for x < 0 and less and less beyond.

Both diabats of the members are shifted by ±SLOPE x² where x > 0: the mean is Tully's model, the
deviation of the energies √2 SLOPE x², that of the force 2√2 SLOPE x, that of the gap zero.
"""

from dataclasses import replace

import torch

from namd.potentials.committee import CommitteePotential
from namd.potentials.deviation import Scales
from namd.potentials.tully import tully

SLOPE = 1e-4


def make(*, scale: float = 1.0) -> CommitteePotential:
    """The committee; ``scale`` multiplies what it says of its errors."""
    scales = Scales(energy=scale, gap=scale, force=scale, coupling=scale)
    return CommitteePotential((_member(1.0), _member(-1.0)), name="doubtful", scales=scales)


def _member(sign):
    model = tully(1)

    def hamiltonian(positions):
        x = positions[:, 0, 0].clamp(min=0.0)
        shift = sign * SLOPE * x.square()
        return model.hamiltonian(positions) + shift[:, None, None] * torch.eye(2)

    def gradient(positions):
        x = positions[:, 0, 0].clamp(min=0.0)
        slopes = model.gradient(positions).clone()
        slopes[:, 0, 0, 0, 0] += 2 * sign * SLOPE * x
        slopes[:, 1, 1, 0, 0] += 2 * sign * SLOPE * x
        return slopes

    return replace(
        model,
        hamiltonian=hamiltonian,
        gradient=gradient,
        parameters=[*model.parameters, ("sign", sign)],
    )

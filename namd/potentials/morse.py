r"""The three-state one-dimensional Morse models of ultrafast photodissociation.

.. math::

    W_{ii} = D_i (1 - e^{-\beta_i (x - x_i)})^2 + c_i, \qquad
    W_{ij} = A_{ij}\, e^{-a_{ij} (x - x_{ij})^2}

Three diabatic Morse curves cross at two points, where Gaussian couplings sit. A wave packet of the
vibrational ground state of a surface below (ω = 0.005 Hartree, standard deviation
:math:`1/\sqrt{2m\omega}` = 0.0707 Bohr) is lifted vertically to the first diabatic state, at
x = 2.9, 3.3 and 2.1 Bohr in the models 1, 2 and 3.

Reference: E. A. Coronado, J. Xing, W. H. Miller, Chem. Phys. Lett. 349 (2001) 521,
DOI 10.1016/S0009-2614(01)01242-8.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float64
from torch import Tensor

from namd.errors import ConfigError
from namd.potentials.diabatic import DiabaticPotential
from namd.potentials.one_dimensional import one_dimensional

MASS = 20000.0
"""Of the particle, electron masses."""

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class MorseParameters:
    """Numbers of one model, atomic units; pairs in the order 12, 13, 23.

    Parameters
    ----------
    depth, steepness, minimum, offset
        D, β, x_i and c of the three diabatic curves.
    coupling, narrowness, crossing
        A, a and x_ij of the three couplings; a pair that is not coupled has A = 0.
    """

    depth: Triple
    steepness: Triple
    minimum: Triple
    offset: Triple
    coupling: Triple
    narrowness: Triple
    crossing: Triple


MODELS: tuple[MorseParameters, ...] = (
    MorseParameters(
        depth=(0.003, 0.004, 0.003),
        steepness=(0.65, 0.60, 0.65),
        minimum=(5.0, 4.0, 6.0),
        offset=(0.0, 0.01, 0.006),
        coupling=(0.002, 0.0, 0.002),
        narrowness=(16.0, 0.0, 16.0),
        crossing=(3.40, 0.0, 4.80),
    ),
    MorseParameters(
        depth=(0.020, 0.010, 0.003),
        steepness=(0.65, 0.40, 0.65),
        minimum=(4.5, 4.0, 4.4),
        offset=(0.0, 0.01, 0.02),
        coupling=(0.005, 0.005, 0.0),
        narrowness=(32.0, 32.0, 0.0),
        crossing=(3.66, 3.34, 0.0),
    ),
    MorseParameters(
        depth=(0.020, 0.020, 0.003),
        steepness=(0.40, 0.65, 0.65),
        minimum=(4.0, 4.5, 6.0),
        offset=(0.02, 0.0, 0.02),
        coupling=(0.005, 0.005, 0.0),
        narrowness=(32.0, 32.0, 0.0),
        crossing=(3.40, 4.97, 0.0),
    ),
)


def morse(model: int) -> DiabaticPotential:
    """Model 1, 2 or 3 of the reference.

    Parameters
    ----------
    model
        1, 2 or 3.

    Raises
    ------
    ConfigError
        For any other number.

    Examples
    --------
    >>> morse(3).name
    'morse-3 (Coronado, Xing, Miller)'
    """
    if model not in (1, 2, 3):
        raise ConfigError("expected 1, 2 or 3", where=f"Morse model = {model}")
    numbers = MODELS[model - 1]
    return one_dimensional(
        name=f"morse-{model} (Coronado, Xing, Miller)",
        mass=MASS,
        states=3,
        values=_curves(numbers, _well, _bump),
        slopes=_curves(numbers, _well_slope, _bump_slope),
        parameters=tuple(
            (f"{field.name}[{k}]", value)
            for field in fields(numbers)
            for k, value in enumerate(getattr(numbers, field.name))
        ),
    )


def _curves(
    numbers: MorseParameters, diagonal: Callable[..., Tensor], off_diagonal: Callable[..., Tensor]
) -> Callable[[Tensor], Tensor]:
    """Assemble the matrix of the three diagonal and three off-diagonal curves."""
    wells = tuple(
        zip(numbers.depth, numbers.steepness, numbers.minimum, numbers.offset, strict=True)
    )
    bumps = tuple(zip(numbers.coupling, numbers.narrowness, numbers.crossing, strict=True))

    def matrix(x: Float64[Tensor, " traj"]) -> Float64[Tensor, "traj 3 3"]:
        a, b, c = (diagonal(x, *well) for well in wells)
        ab, ac, bc = (off_diagonal(x, *bump) for bump in bumps)
        rows = ((a, ab, ac), (ab, b, bc), (ac, bc, c))
        return torch.stack([torch.stack(row, 1) for row in rows], 1)

    return matrix


def _well(x: Tensor, depth: float, steepness: float, minimum: float, offset: float) -> Tensor:
    rise = 1.0 - torch.exp(-steepness * (x - minimum))
    return depth * rise * rise + offset


def _well_slope(x: Tensor, depth: float, steepness: float, minimum: float, _: float) -> Tensor:
    decay = torch.exp(-steepness * (x - minimum))
    return 2.0 * depth * steepness * decay * (1.0 - decay)


def _bump(x: Tensor, coupling: float, narrowness: float, crossing: float) -> Tensor:
    away = x - crossing
    return coupling * torch.exp(-narrowness * away * away)


def _bump_slope(x: Tensor, coupling: float, narrowness: float, crossing: float) -> Tensor:
    return -2.0 * narrowness * (x - crossing) * _bump(x, coupling, narrowness, crossing)

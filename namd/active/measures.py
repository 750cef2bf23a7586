"""What a model, or a committee, says of geometries: uncertainty, gap, features."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from namd.nn.descriptors import descriptors
from namd.nn.model import DiabaticModel
from namd.nn.parallel import side_by_side
from namd.potentials.deviation import largest_atom
from namd.train.predictors import Committee, Predictor, Single

_SLICE = 32
UNCERTAINTIES = ("energy", "gap", "force")
"""Largest expected error, of a committee the standard deviation over its members, of: the energy of
any state, the gap of any pair (Hartree), the force of any state on any atom (its length,
Hartree/Bohr)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measures:
    """Of every geometry, atomic units.

    Parameters
    ----------
    gap
        Smallest predicted gap between neighbouring states; infinite for a single state.
    deviations
        Names of :data:`UNCERTAINTIES` → values. A single model has that of the energy alone, to
        which all it expects of its errors is proportional, or none.
    features
        Pooled node features (:mod:`namd.nn.descriptors`), of a committee those of its first
        member.
    """

    gap: Float[np.ndarray, " frame"]
    deviations: Mapping[str, Float[np.ndarray, " frame"]]
    features: Float[np.ndarray, "frame component"]

    def __len__(self) -> int:
        return len(self.gap)


def measure(predictor: Predictor, positions: Float[np.ndarray, "frame atom 3"]) -> Measures:
    """Evaluate a model or a committee on geometries (Bohr) of its molecule."""

    def told(start: int) -> np.ndarray:
        chosen = torch.from_numpy(positions[start : start + _SLICE]).to(predictor.device)
        mean, deviation = predictor.predict(chosen - chosen.mean(dim=1, keepdim=True))
        gaps = mean.energies.diff(dim=1)
        columns = [gaps.amin(1) if gaps.shape[1] else torch.full_like(gaps.sum(1), torch.inf)]
        if deviation is not None:
            columns.append(deviation.energies.amax(1))
        if deviation is not None and predictor.freedom < float("inf"):
            apart = deviation.gaps
            columns += [
                apart.amax(1) if apart.shape[1] else torch.zeros_like(columns[0]),
                largest_atom(deviation.forces).amax(1),
            ]
        return torch.stack(columns, dim=1).cpu().numpy()

    table = np.concatenate(side_by_side(told, range(0, len(positions), _SLICE)))
    gap, deviations = table[:, 0], table[:, 1:].T
    names = UNCERTAINTIES[: len(deviations)]
    return Measures(
        gap=gap,
        deviations={
            name: predictor.scales.get(name, 1.0) * values
            for name, values in zip(names, deviations, strict=True)
        },
        features=descriptors(_first_model(predictor), positions),
    )


def _first_model(predictor: Predictor) -> DiabaticModel:
    match predictor:
        case Single(model=model):
            return model
        case Committee(members=members):
            return members[0]
        case _:
            raise TypeError(f"{type(predictor).__name__} has no network")

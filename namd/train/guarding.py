"""What a single model keeps of its training, so that it knows where it does not know.

At the end of a training the features of the training frames are collected in one forward pass; the
ridge of the distance is the one of a few decades that gives the errors on the validation frames the
highest likelihood, and the factors are fitted there, too.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from namd.analysis.calibration import negative_log_likelihood
from namd.data.dataset import Dataset
from namd.nn.distance import FeatureDistance, fit_distance
from namd.nn.model import DiabaticModel
from namd.nn.parallel import side_by_side
from namd.train.metrics import Comparison, with_distance
from namd.train.reliability import calibrate, doubts

RIDGES = tuple(10.0**-k for k in range(1, 9))
"""λ that are tried."""
_SLICE = 32


def guard_model(
    model: DiabaticModel, *, training: Dataset, validation: Dataset, errors: Comparison
) -> FeatureDistance | None:
    """Learn how far from the training frames a geometry is, and what error that means.

    Parameters
    ----------
    model
        As it is kept.
    training, validation
        The frames it learned, and those it did not.
    errors
        Of the model on the validation frames.

    Returns
    -------
    The distance with its factors; None where the network has no features, or the validation frames
    tell nothing.
    """
    known, new = features_of(model, training), features_of(model, validation)
    if known is None or new is None:
        return None
    best, lowest = None, np.inf
    for ridge in RIDGES:
        distance = fit_distance(known, ridge=ridge)
        judged = with_distance(errors, distance(new).cpu().numpy())
        scales = calibrate(judged).get("scales", {})
        score = _score(judged, scales)
        if score < lowest:
            best, lowest = (distance, scales), score
    if best is None:
        return None
    distance, scales = best
    return replace(distance, scales=scales)


def features_of(model: DiabaticModel, dataset: Dataset) -> Float[Tensor, "frame learned"] | None:
    """What the last layer of W reads at every frame; None of a network that does not tell."""
    device = model.shift.device

    def evaluate(start: int) -> Tensor | None:
        positions = torch.from_numpy(dataset["positions"][start : start + _SLICE]).to(device)
        return model.features(positions)

    found = side_by_side(evaluate, range(0, len(dataset), _SLICE))
    told = [part for part in found if part is not None]
    return torch.cat(told) if len(told) == len(found) else None


def _score(comparison: Comparison, scales: dict[str, float]) -> float:
    """Mean over the quantities of the negative log-likelihood; infinite where none is known."""
    found = [
        negative_log_likelihood(doubt.error, scales[name] * doubt.deviation)
        for name, doubt in doubts(comparison).items()
        if name in scales
    ]
    scores = [score for score in found if score is not None]
    return float(np.mean(scores)) if scores else np.inf

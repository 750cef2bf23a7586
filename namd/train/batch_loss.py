"""The loss of a batch and its gradient, slice by slice of a few frames.

On the CPU every slice is one thread's work (:mod:`namd.nn.parallel`) and the slices' gradients are
summed in order, so that the result does not depend on the number of threads.
"""

import numpy as np
import torch
from torch import Tensor

from namd.config.training import LossWeights, TrainingConfig
from namd.nn.model import Derivatives, DiabaticModel
from namd.nn.parallel import side_by_side
from namd.train.diabatic_loss import diabatic_loss, known_matrices
from namd.train.dipole_loss import dipole_loss
from namd.train.labels import Labels
from namd.train.log import LOSS_TERMS
from namd.train.loss import LossTerms, multistate_loss, with_dipoles
from namd.train.sampled import sampled_loss

_CPU_SLICE = 8
_EVALUATION_SLICE = 32


def set_gradient(
    model: DiabaticModel, labels: Labels, *, config: TrainingConfig, late: bool, step: int
) -> dict[str, float]:
    """Set ``grad`` of every weight to the gradient of the batch's mean loss; returns its terms.

    Parameters
    ----------
    model
        In training.
    labels
        The batch.
    config
        Weights of the loss, kind of derivatives, seed.
    late
        Whether the last part of the training has begun.
    step
        Number of the step, from which the sampled derivatives are drawn.
    """
    parameters = [p for p in model.network.parameters() if p.requires_grad]
    draw = np.random.default_rng([config.seed, 1, step]).integers(0, 3, len(labels))
    drawn = torch.from_numpy(draw).to(labels.positions.device)

    def one_slice(rows: Tensor) -> tuple[dict[str, float], tuple[Tensor | None, ...]]:
        with torch.enable_grad():
            terms = _training_loss(model, labels.take(rows), drawn[rows], config=config, late=late)
            share = len(rows) / len(labels)
            gradient = torch.autograd.grad(terms.total * share, parameters, allow_unused=True)
        return _weighted(terms, share), gradient

    sums = dict.fromkeys(LOSS_TERMS, 0.0)
    for parameter in parameters:
        parameter.grad = None
    for terms, gradients in side_by_side(one_slice, _slices(labels, _CPU_SLICE)):
        for name in LOSS_TERMS:
            sums[name] += terms[name]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is None:
                continue
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
    return sums


def mean_loss(model: DiabaticModel, labels: Labels, *, config: TrainingConfig) -> dict[str, float]:
    """Mean of every loss term over all frames, with the late weights throughout."""

    def one_slice(rows: Tensor) -> dict[str, float]:
        terms = _full_loss(model, labels.take(rows), config=config, late=True, create_graph=False)
        return _weighted(terms, len(rows) / len(labels))

    parts = side_by_side(one_slice, _slices(labels, _EVALUATION_SLICE))
    return {name: sum(part[name] for part in parts) for name in LOSS_TERMS}


def _slices(labels: Labels, size: int) -> tuple[Tensor, ...]:
    device = labels.positions.device
    rows = torch.arange(len(labels), device=device)
    return torch.split(rows, size) if device.type == "cpu" else torch.split(rows, 256)


def _weighted(terms: LossTerms, share: float) -> dict[str, float]:
    return {name: float(getattr(terms, name).detach()) * share for name in LOSS_TERMS}


def _training_loss(
    model: DiabaticModel, labels: Labels, draw: Tensor, *, config: TrainingConfig, late: bool
) -> LossTerms:
    if config.loss.derivatives == "full":
        return _full_loss(model, labels, config=config, late=late, create_graph=True)
    return sampled_loss(
        model,
        positions=labels.positions,
        energies=labels.energies,
        forces=labels.forces,
        coupling=labels.coupling,
        dipoles=labels.dipoles,
        draw=draw,
        weights=config.loss,
        late=late,
    )


def _full_loss(
    model: DiabaticModel,
    labels: Labels,
    *,
    config: TrainingConfig,
    late: bool,
    create_graph: bool,
) -> LossTerms:
    found = model.derivatives(labels.positions, create_graph=create_graph)
    with torch.set_grad_enabled(create_graph):
        if config.loss.target == "diabatic" and labels.diabatic is not None:
            terms = _diabatic_where_known(
                model, found, labels, labels.diabatic, weights=config.loss, late=late
            )
        else:
            terms = _adiabatic(model, found, labels, weights=config.loss, late=late)
        if found.dipoles is None or labels.dipoles is None:
            return terms
        dipole = dipole_loss(
            model.in_states(found),
            energies=labels.energies,
            coupling=labels.coupling,
            dipoles=labels.dipoles,
            weights=config.loss,
        )
        return with_dipoles(terms, dipole.mean(), config.loss)


def _adiabatic(
    model: DiabaticModel, found: Derivatives, labels: Labels, *, weights: LossWeights, late: bool
) -> LossTerms:
    return multistate_loss(
        model.in_states(found),
        energies=labels.energies,
        forces=labels.forces,
        coupling=labels.coupling,
        weights=weights,
        late=late,
    )


def _diabatic_where_known(
    model: DiabaticModel,
    found: Derivatives,
    labels: Labels,
    reference: Tensor,
    *,
    weights: LossWeights,
    late: bool,
) -> LossTerms:
    """Mean over the frames: the diabatic loss where W is known, the adiabatic one elsewhere."""
    known = known_matrices(matrix=reference, forces=labels.forces, coupling=labels.coupling)
    parts: list[tuple[int, LossTerms]] = []
    rows, others = known.nonzero()[:, 0], (~known).nonzero()[:, 0]
    if len(rows):
        terms = diabatic_loss(
            found.matrix[rows],
            found.gradient[rows],
            reference=reference[rows],
            forces=labels.forces[rows],
            coupling=labels.coupling[rows],
            weights=weights,
            late=late,
        )
        parts.append((len(rows), terms))
    if len(others):
        rest = labels.take(others)
        terms = _adiabatic(model, found.take(others), rest, weights=weights, late=late)
        parts.append((len(others), terms))
    return LossTerms(
        **{
            name: torch.stack([n / len(labels) * getattr(terms, name) for n, terms in parts]).sum()
            for name in LOSS_TERMS
        }
    )

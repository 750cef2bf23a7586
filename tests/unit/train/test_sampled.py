"""The sampled loss against the full one; gradients of both against finite differences."""

import numpy as np
import pytest
import torch

from namd.config.training import LossWeights
from namd.nn.adiabatic import eigenvectors
from namd.train.loss import LossTerms, multistate_loss
from namd.train.sampled import sampled_loss
from namd.train.trainer import Labels
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

WEIGHTS = LossWeights()
CPU = torch.device("cpu")


def full(model, labels: Labels, *, late: bool = True) -> LossTerms:
    return multistate_loss(
        model.adiabatic(labels.positions, create_graph=True),
        energies=labels.energies,
        forces=labels.forces,
        coupling=labels.coupling,
        weights=WEIGHTS,
        late=late,
    )


def sampled(model, labels: Labels, draw, *, late: bool = True) -> LossTerms:
    return sampled_loss(
        model,
        positions=labels.positions,
        energies=labels.energies,
        forces=labels.forces,
        coupling=labels.coupling,
        draw=torch.as_tensor(draw),
        weights=WEIGHTS,
        late=late,
    )


@pytest.mark.parametrize("kind", ["perceptron", "fusion", "mofd", "cofd"])
def test_the_mean_over_all_draws_is_the_full_loss(make_labelled, make_model, kind):
    """Every frame draws each field once: all three fields of all frames, so the mean is exact."""
    dataset = make_labelled(6)
    assert (dataset.gaps * EV_PER_HARTREE > WEIGHTS.degenerate_gap_ev).all()
    model = make_model(dataset, kind, diabats=3, double=True)
    labels = Labels.of(dataset, CPU)
    whole = full(model, labels)
    parts = [sampled(model, labels, (np.arange(6) + shift) % 3) for shift in range(3)]
    for name in ("total", "energy", "gap", "force", "coupling"):
        mean = torch.stack([getattr(part, name) for part in parts]).mean()
        torch.testing.assert_close(mean, getattr(whole, name), rtol=1e-10, atol=0)
    for part in parts:  # energies are exact in every draw
        torch.testing.assert_close(part.energy, whole.energy)
        torch.testing.assert_close(part.gap, whole.gap)


def test_a_degenerate_frame_learns_its_mean_force_whatever_is_drawn(make_labelled, make_model):
    dataset = make_labelled(5)
    energies = dataset["energies"].copy()
    energies[:, 1] = energies[:, 0] + 0.01 / EV_PER_HARTREE
    dataset = make_labelled(5, arrays={"energies": energies})
    model = make_model(dataset, double=True)
    labels = Labels.of(dataset, CPU)
    found = [sampled(model, labels, [draw] * 5) for draw in range(3)]
    predicted = model.adiabatic(labels.positions)
    error = (predicted.forces - labels.forces).mean(1) * EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    delta = WEIGHTS.force_delta_ev_per_angstrom
    expected = ((error.square().sum(-1) + delta**2).sqrt() - delta).mean()
    for terms in found:
        torch.testing.assert_close(terms.force, expected)
        assert terms.coupling == 0


def test_flipped_reference_couplings_give_the_same_loss(make_labelled, make_model):
    dataset, flipped = make_labelled(6), make_labelled(6, flips=False)
    assert not np.array_equal(dataset["nonadiabatic_coupling"], flipped["nonadiabatic_coupling"])
    model = make_model(dataset, double=True)
    one, other = (sampled(model, Labels.of(d, CPU), [2] * 6).coupling for d in (dataset, flipped))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", ["perceptron", "fusion", "mofd", "cofd"])
@pytest.mark.parametrize(("states", "draw"), [(3, None), (2, [0, 1, 2, 2])])
def test_gradient_with_respect_to_the_weights(make_labelled, make_model, kind, states, draw):
    """Central difference of the total along random directions of all weights, in double."""
    dataset = make_labelled(4, states=states)
    model = make_model(dataset, kind, double=True)
    labels = Labels.of(dataset, CPU)
    parameters = list(model.network.parameters())
    start = torch.nn.utils.parameters_to_vector(parameters).detach()

    def total() -> torch.Tensor:
        return (full(model, labels) if draw is None else sampled(model, labels, draw)).total

    gradient = torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for p, g in zip(
                parameters,
                torch.autograd.grad(total(), parameters, allow_unused=True),
                strict=True,
            )
        ]
    )
    step = 1e-5
    generator = torch.Generator().manual_seed(4)
    for _ in range(3):
        direction = torch.randn(start.shape, dtype=start.dtype, generator=generator)
        values = []
        for sign in (1, -1):
            torch.nn.utils.vector_to_parameters(start + sign * step * direction, parameters)
            values.append(float(total().detach()))
        torch.nn.utils.vector_to_parameters(start, parameters)
        difference = (values[0] - values[1]) / (2 * step)
        assert float(gradient @ direction) == pytest.approx(difference, rel=1e-5, abs=1e-7)


def test_eigenvectors_are_held_where_their_derivative_says_nothing():
    matrix = torch.tensor([[[1.0, 5e-6], [5e-6, 1.0]], [[1.0, 0.1], [0.1, 2.0]]]).double()
    matrix.requires_grad_()
    _, vectors = eigenvectors(matrix)
    weight = torch.tensor([[1.0, 2.0], [3.0, 5.0]])  # any function of the squared components
    (gradient,) = torch.autograd.grad((weight * vectors.square()).sum(), matrix)
    assert torch.equal(gradient[0], torch.zeros(2, 2, dtype=torch.float64))
    assert gradient[1].abs().max() > 0.01

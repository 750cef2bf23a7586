"""The loss on the method's own matrix: zero for the truth in any gauge, element by element else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from namd.config.training import LossWeights
from namd.data.reading import read_dataset
from namd.train.batch_loss import mean_loss
from namd.train.diabatic_loss import diabatic_loss, known_matrices, reference_gradients
from namd.train.labels import Labels
from namd.units import EV_PER_HARTREE

MOLECULES, ATOMS = 5, 3
CPU = torch.device("cpu")
SHIPPED = Path(__file__).parents[3] / "models/stilbene-ssr/data/stilbene-ssr-thinned.h5"


def truth(states: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random W and ∇W."""
    generator = torch.Generator().manual_seed(seed)
    matrix = 0.02 * torch.randn(MOLECULES, states, states, generator=generator).double()
    gradient = 0.05 * torch.randn(MOLECULES, states, states, ATOMS, 3, generator=generator).double()
    return matrix + matrix.mT, gradient + gradient.transpose(1, 2)


def labels(matrix: torch.Tensor, gradient: torch.Tensor, signs: torch.Tensor) -> dict:
    """Forces and couplings of W and ∇W, each state with a sign of its own."""
    states = matrix.shape[1]
    vectors = torch.linalg.eigh(matrix)[1] * signs[:, None, :]
    rotated = torch.einsum("bki,bklax,blj->bijax", vectors, gradient, vectors)
    own = torch.arange(states)
    first, second = torch.triu_indices(states, states, offset=1)
    return {"forces": -rotated[:, own, own], "coupling": rotated[:, first, second]}


def random_signs(states: int, bits: int) -> torch.Tensor:
    drawn = np.random.default_rng(bits).choice([-1.0, 1.0], (MOLECULES, states))
    return torch.from_numpy(drawn)


def loss(matrix, gradient, *, reference, weights=None, **derivatives):
    weights = LossWeights() if weights is None else weights
    return diabatic_loss(
        matrix, gradient, reference=reference, weights=weights, late=False, **derivatives
    )


@given(states=st.integers(2, 4), bits=st.integers(0, 2**16))
@settings(deadline=None, max_examples=30)
def test_the_truth_costs_nothing_whatever_the_signs(states: int, bits: int) -> None:
    """Of states in h and of diabats in W, independently."""
    matrix, gradient = truth(states)
    made = labels(matrix, gradient, random_signs(states, bits))
    flips = random_signs(states, bits + 1)
    turned = matrix * flips[:, :, None] * flips[:, None, :]
    terms = loss(matrix, gradient, reference=turned, **made)
    for name in terms.__dataclass_fields__:
        assert abs(getattr(terms, name)) < 1e-12, name


def test_every_error_is_found_in_its_own_term() -> None:
    matrix, gradient = truth(2)
    made = labels(matrix, gradient, torch.ones(MOLECULES, 2))
    off = 0.03 / EV_PER_HARTREE
    common = loss(matrix + off * torch.eye(2), gradient, reference=matrix, **made)
    delta = LossWeights().energy_delta_ev
    assert common.energy.item() == pytest.approx(np.hypot(0.03, delta) - delta)
    assert max(common.gap, common.force, common.coupling) < 1e-12
    mixing = matrix.clone()
    mixing[:, 0, 1] += off
    mixing[:, 1, 0] += off
    between = loss(mixing, gradient, reference=matrix, **made)
    assert between.gap > np.hypot(0.06, delta) - delta
    assert max(between.energy, between.force, between.coupling) < 1e-12
    for element, own, other in (((0, 0), "force", "coupling"), ((0, 1), "coupling", "force")):
        steeper = gradient.clone()
        steeper[:, element[0], element[1]] += 0.01
        if element[0] != element[1]:
            steeper[:, element[1], element[0]] += 0.01
        terms = loss(matrix, steeper, reference=matrix, **made)
        assert getattr(terms, own) > 0.1
        assert max(getattr(terms, other), terms.energy, terms.gap) < 1e-12


def test_other_diabats_with_the_same_surfaces_are_an_error() -> None:
    """A rotated basis has the same E, F and h; the gauge-free loss could not tell."""
    matrix, gradient = truth(2)
    made = labels(matrix, gradient, torch.ones(MOLECULES, 2))
    c, s = np.cos(0.5), np.sin(0.5)
    turn = torch.tensor([[c, -s], [s, c]])
    rotated = turn @ matrix @ turn.T
    slope = torch.einsum("ik,bklax,jl->bijax", turn, gradient, turn)
    terms = loss(rotated, slope, reference=matrix, **made)
    assert terms.energy > 0.05
    assert terms.force > 0.1


def test_the_gradient_of_the_shipped_labels_is_that_of_their_matrix() -> None:
    """Along a trajectory W changes by ∇W · dR, in one of the gauges, to second order."""
    frames = read_dataset(SHIPPED)
    close = frames["time"][1:] - frames["time"][:-1]
    same = (frames["group"][1:] == frames["group"][:-1]) & (np.abs(close - 20.67) < 0.1)
    told = Labels.of(frames, CPU)
    assert told.diabatic is not None
    known = known_matrices(matrix=told.diabatic, forces=told.forces, coupling=told.coupling)
    chosen = torch.from_numpy(same) & known[1:] & known[:-1]
    rows = chosen.nonzero()[:40, 0]
    assert len(rows) >= 10
    step = (told.positions[rows + 1] - told.positions[rows])[:, None, None]
    parts = []
    for at in (rows, rows + 1):
        slopes = reference_gradients(
            told.diabatic[at], forces=told.forces[at], coupling=told.coupling[at]
        )
        parts.append((slopes * step).sum((-1, -2)))
    change = (told.diabatic[rows + 1] - told.diabatic[rows]).diagonal(dim1=1, dim2=2)
    errors = [
        ((one + other) / 2).diagonal(dim1=1, dim2=2) - change
        for one in parts[0]
        for other in parts[1]
    ]
    least = torch.stack([error.abs().amax(1) for error in errors]).min(0).values
    size = change.abs().amax(1)
    assert float((least / size).median()) < 0.02


def test_frames_without_a_matrix_are_learned_from_their_states(
    make_labelled, make_model, make_config
) -> None:
    dataset = make_labelled(12, basis=True)
    model = make_model(dataset, double=True)
    config = make_config(loss__target="diabatic")
    plain = make_config()
    everything = Labels.of(dataset, CPU)
    assert everything.diabatic is not None
    unknown = torch.arange(12)[:, None, None] < 6
    some = replace(everything, diabatic=torch.where(unknown, torch.nan, everything.diabatic))
    whole = mean_loss(model, some, config=config)
    first = mean_loss(model, some.take(torch.arange(6)), config=plain)
    second = mean_loss(model, everything.take(torch.arange(6, 12)), config=config)
    for name in whole:
        assert whole[name] == pytest.approx((first[name] + second[name]) / 2, rel=1e-10)
    assert first["force"] != pytest.approx(second["force"], rel=1e-3)

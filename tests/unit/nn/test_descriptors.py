"""Pooled node features: what they do not see, and the scales they are measured with."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from namd.nn.descriptors import Standard, descriptors, pool
from namd.nn.model import DiabaticModel
from tests.unit.nn.conftest import geometries, make_model


def test_they_turn_and_move_with_nothing(model: DiabaticModel) -> None:
    positions = geometries(5).numpy()
    turn = Rotation.random(random_state=3).as_matrix()
    here, there = descriptors(model, positions), descriptors(model, positions @ turn.T + 4.0)
    np.testing.assert_allclose(there, here, atol=1e-9)
    other = descriptors(model, geometries(5, seed=8).numpy())
    assert np.abs(other - here).max() > 1e-3
    assert here.shape[0] == 5


def test_the_readout_sees_what_is_pooled(model: DiabaticModel) -> None:
    """Equal node features mean equal W where no atom is labelled; here: they are its input."""
    positions = geometries(3)
    nodes = model.network.node_scalars(positions)
    assert nodes.shape[:2] in ((3, 6), (3, 1))
    assert torch.isfinite(nodes).all()
    leaf = positions.clone().requires_grad_()
    model.network.node_scalars(leaf).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().max() > 0


@pytest.mark.parametrize("kind", ["fusion-unlabelled", "mofd-dense", "cofd"])
def test_equal_atoms_may_be_numbered_in_any_way(kind: str) -> None:
    model = make_model(kind)
    positions = geometries(4).numpy()
    here = descriptors(model, positions)
    exchanged = descriptors(model, positions[:, [0, 1, 5, 3, 2, 4]])
    np.testing.assert_allclose(exchanged, here, atol=1e-9)
    foreign = descriptors(model, positions[:, [1, 0, 2, 3, 4, 5]])  # carbon for nitrogen
    assert np.abs(foreign - here).max() > 1e-6


def test_pooling_is_mean_and_spread_of_each_element() -> None:
    nodes = torch.tensor([[[1.0], [3.0], [10.0]]], dtype=torch.float64)
    found = pool(nodes, torch.tensor([1, 1, 6]))
    assert found.tolist() == [[2.0, 10.0, 1.0, 0.0]]
    whole = torch.tensor([[[4.0, 5.0]]], dtype=torch.float64)
    assert pool(whole, torch.tensor([1, 1, 6])).tolist() == [[4.0, 5.0]]


def test_two_random_frames_are_the_root_of_two_apart() -> None:
    found = np.random.default_rng(0).normal(size=(4000, 40)) * np.logspace(-3, 3, 40) + 7.0
    found[:, 5] = 2.0  # a component that tells nothing
    standard = Standard.of(found)
    scaled = standard(found)
    apart = np.linalg.norm(scaled[::2] - scaled[1::2], axis=1)
    assert np.sqrt((apart**2).mean()) == pytest.approx(2**0.5, rel=0.02)
    assert not scaled[:, 5].any()

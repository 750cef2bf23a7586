"""Starting, selecting, merging; and what a start refuses."""

import pytest
import torch

from namd.dynamics.batch import choose, is_finite, merge, select, start, tensors, total_energy
from namd.errors import DataError


def same(first, second):
    others = tensors(second)
    return list(others) == list(tensors(first)) and all(
        torch.equal(value, others[name]) for name, value in tensors(first).items()
    )


def test_start_is_at_rest_in_its_books(crowd):
    batch = crowd.batch
    assert torch.equal(batch.amplitudes.abs().argmax(1), batch.active_state)
    assert (batch.amplitudes.abs().sum(1) == 1).all()
    assert (batch.step == 0).all()
    assert (batch.status == 0).all()
    assert (batch.last_hop_step == -1).all()
    assert torch.equal(batch.initial_total_energy, total_energy(batch, crowd.options.masses))


def test_select_and_merge_undo_each_other(crowd):
    first = select(crowd.batch, torch.arange(20))
    second = select(crowd.batch, torch.arange(20, 64))
    assert len(first) == 20
    assert same(merge(first, second), crowd.batch)


def test_choose_takes_rows(crowd):
    reverse = select(crowd.batch, torch.arange(63, -1, -1))
    even = torch.arange(64) % 2 == 0
    mixed = choose(even, crowd.batch, reverse)
    assert torch.equal(mixed.trajectory_id[::2], crowd.batch.trajectory_id[::2])
    assert torch.equal(mixed.trajectory_id[1::2], reverse.trajectory_id[1::2])


def test_is_finite_looks_at_every_number(crowd):
    for name in ("positions", "velocities", "amplitudes", "energies", "force"):
        broken = select(crowd.batch, torch.arange(4))
        getattr(broken, name)[2] = float("inf")
        assert is_finite(broken).tolist() == [True, True, False, True]


def test_start_refuses_what_does_not_belong(crowd):
    b, potential = crowd.batch, crowd.potential
    zero = torch.zeros(64, dtype=torch.int64)
    with pytest.raises(DataError, match=r"shape \(64, 1, 3\), expected \(64, 2, 3\)"):
        start(potential, b.positions[:, :1], b.velocities[:, :1], zero)
    with pytest.raises(DataError, match="between 0 and 2"):
        start(potential, b.positions, b.velocities, zero + 3)
    with pytest.raises(DataError, match="same identity"):
        start(potential, b.positions, b.velocities, zero, trajectory_id=zero)
    positions = b.positions.clone()
    positions[5] = float("nan")
    with pytest.raises(DataError, match="trajectory 5: positions"):
        start(potential, positions, b.velocities, zero)

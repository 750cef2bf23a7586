"""Checkpoints: every bit comes back, two generations are kept, damage is noticed and told."""

from pathlib import Path

import numpy as np
import pytest
import torch

from namd.dynamics.batch import TrajectoryBatch, start, tensors
from namd.dynamics.checkpoint import Checkpoint, resume_checkpoint, save_checkpoint
from namd.errors import DataError
from namd.io.ensemble_writer import Block, write_part
from namd.io.run_folder import RunFolder, create_run_folder
from namd.potentials.tully import tully


def batch(seed: int) -> TrajectoryBatch:
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(4, 1, 3, dtype=torch.float64, generator=generator)
    return start(tully(2), positions, positions / 100, torch.tensor([0, 1, 1, 0]))


def part(folder: RunFolder, number: int) -> str:
    final = {"status": np.zeros(4), "reason": np.zeros(4), "step": np.full(4, number)}
    return write_part(
        folder, number, Block(frames={"step": np.array([number])}, hops={}, final=final)
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run with four blocks, each with its checkpoint."""
    made = create_run_folder(tmp_path / "run")
    digests: tuple[str, ...] = ()
    for number in range(4):
        digests = (*digests, part(made, number))
        save_checkpoint(
            made, Checkpoint(batch=batch(number), step=10 * number, hops=number, digests=digests)
        )
    return made


def resumed(folder: RunFolder) -> Checkpoint:
    found = resume_checkpoint(folder, device="cpu")
    assert found is not None
    return found


def test_every_bit_comes_back_and_two_generations_are_kept(folder: RunFolder) -> None:
    assert folder.checkpoint_numbers() == [2, 3]
    found = resumed(folder)
    assert (found.step, found.hops, len(found.digests)) == (30, 3, 4)
    expected, saved = tensors(batch(3)), tensors(found.batch)
    assert set(saved) == set(expected)
    for name, value in expected.items():
        assert value.dtype == saved[name].dtype
        assert torch.equal(value, saved[name]), name


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(folder: RunFolder, damage: str) -> None:
    path = folder.checkpoint(3)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(
        {"cut": path.read_bytes()[:-100], "flipped": bytes(data), "empty": b""}[damage]
    )
    assert resumed(folder).step == 20
    # What came after the good one is gone, so that nothing can be told twice.
    assert folder.part_numbers() == [0, 1, 2]
    assert folder.checkpoint_numbers() == [2]


def test_two_damaged_checkpoints_are_refused_with_the_reason(folder: RunFolder) -> None:
    for number in (2, 3):
        folder.checkpoint(number).write_bytes(b"short")
    with pytest.raises(DataError, match="no checkpoint can be used") as caught:
        resume_checkpoint(folder, device="cpu")
    assert caught.value.message.count("altered or cut short") == 2
    assert folder.part_numbers() == [0, 1, 2, 3]


def test_a_block_that_no_checkpoint_vouches_for_is_dropped(folder: RunFolder) -> None:
    part(folder, 4)
    assert resumed(folder).step == 30
    assert folder.part_numbers() == [0, 1, 2, 3]


def test_an_altered_block_is_not_built_upon(folder: RunFolder) -> None:
    folder.part(3).write_bytes(folder.part(3).read_bytes()[:-1])
    assert resumed(folder).step == 20
    folder.part(1).unlink()
    with pytest.raises(DataError, match=r"000001\.h5"):
        resume_checkpoint(folder, device="cpu")


def test_without_a_checkpoint_a_run_starts_afresh(tmp_path: Path) -> None:
    made = create_run_folder(tmp_path / "run")
    part(made, 0)
    assert resume_checkpoint(made, device="cpu") is None
    assert made.part_numbers() == []

"""The distance from the training frames: the variance of a linear model, and a file of its own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from namd.errors import ModelError
from namd.nn.distance import FILE, fit_distance, load_distance, save_distance


def features(frames: int, *, seed: int = 0, columns: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(columns, columns, dtype=torch.float64, generator=generator)
    return torch.randn(frames, columns, dtype=torch.float64, generator=generator) @ mixed


def test_it_is_the_posterior_variance_of_linear_regression() -> None:
    known, new = features(50), features(7, seed=1)
    inverse = torch.linalg.inv(known.T @ known)
    expected = ((new @ inverse) * new).sum(1) * 50 / 6
    found = fit_distance(known, ridge=1e-14)(new).square()
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


def test_over_the_training_frames_its_mean_square_is_one() -> None:
    known = features(200)
    assert fit_distance(known, ridge=1e-12)(known).square().mean().item() == pytest.approx(1.0)
    damped = fit_distance(known, ridge=1e-2)(known).square().mean().item()
    assert 0.5 < damped < 1.0


def test_it_grows_with_what_was_never_seen_and_not_with_what_was_often() -> None:
    known = features(200)
    known[:, 0] = 0.0
    distance = fit_distance(known, ridge=1e-6)
    new = torch.zeros(1, 6, dtype=torch.float64)
    new[0, 0] = known.std()
    assert distance(new).item() > 100 * distance(known).mean().item()


def test_a_row_does_not_see_the_others() -> None:
    known = features(64, columns=16).float()
    distance = fit_distance(known, ridge=1e-6)
    whole = distance(known)
    assert torch.equal(distance(known[8:16]), whole[8:16])
    assert torch.equal(distance(known.flip(0)).flip(0), whole)


def test_features_that_vanish_have_no_distance() -> None:
    nothing = torch.zeros(5, 3)
    assert torch.isfinite(fit_distance(nothing, ridge=1e-6)(nothing)).all()


def test_its_file_belongs_to_the_weights(tmp_path: Path) -> None:
    assert load_distance(tmp_path, sha256="a") is None
    distance = replace(fit_distance(features(20), ridge=1e-3), scales={"energy": 0.25})
    save_distance(distance, tmp_path, sha256="a")
    found = load_distance(tmp_path, sha256="a")
    assert found is not None
    assert torch.equal(found.root, distance.root)
    assert (found.ridge, found.scales) == (1e-3, {"energy": 0.25})
    with pytest.raises(ModelError, match="other weights"):
        load_distance(tmp_path, sha256="b")
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:-5])
    with pytest.raises(ModelError, match="cannot be read"):
        load_distance(tmp_path, sha256="a")

"""The published numbers of parameters, exactly."""

from typing import Any

import pytest
import torch

from namd.config.architecture import MaceArchitecture
from namd.nn.factory import build_network, parameter_count

STILBENE = torch.tensor([6, 1] * 12 + [6, 6])


def count(**sizes: Any) -> int:
    diabats = sizes.pop("diabats", 1)
    architecture = MaceArchitecture(**sizes)
    return parameter_count(build_network(architecture, atomic_numbers=STILBENE, diabats=diabats))


@pytest.mark.parametrize(("channels", "published"), [(64, 330_320), (128, 979_088)])
def test_mace(channels: int, published: int) -> None:
    assert count(channels=channels) == published


@pytest.mark.parametrize(("channels", "published"), [(16, 66_784), (32, 141_168)])
def test_mofd_sparse(channels: int, published: int) -> None:
    assert count(channels=channels, fusion="sparse") == published
    block = 8 * channels**2 + 32 * channels + 64
    assert count(channels=channels) + block == published


def test_the_dense_block_has_about_ten_times_the_parameters_of_the_sparse_one() -> None:
    plain, sparse, dense = (count(channels=16, fusion=f) for f in ("none", "sparse", "dense"))
    assert 9 < (dense - plain) / (sparse - plain) < 12


def test_every_further_element_of_w_has_a_readout_of_its_own() -> None:
    channels, hidden, atoms = 16, 16, len(STILBENE)
    readout = channels + channels * hidden + hidden
    one, two = count(channels=channels), count(channels=channels, diabats=2)
    assert two - one == 2 * readout + atoms  # a diagonal element, and a labelled off-diagonal one
    assert count(channels=channels, diabats=3, site_labels="none") - one == 5 * readout

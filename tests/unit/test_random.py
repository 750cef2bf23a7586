"""Philox against the published vectors, and the two implementations against each other."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from namd import random as reference
from namd.dynamics import random_numbers as batched

# Known-answer vectors of Random123 (kat_vectors): counter, key, result.
KNOWN = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_numpy_philox_gives_the_published_words(counter, key, result):
    words = reference.philox4x32(np.array(counter, dtype=np.uint32), key)
    assert tuple(words.tolist()) == result


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_torch_philox_gives_the_published_words(counter, key, result):
    words = batched.philox4x32(torch.tensor(counter)[:, None], key)
    assert tuple(words[:, 0].tolist()) == result


@given(
    seed=st.integers(0, 2**64 - 1),
    identity=st.integers(0, 2**63 - 1),
    draw=st.integers(0, 2**32 - 1),
    stream=st.sampled_from(reference.Stream),
)
def test_both_implementations_give_the_same_bits(seed, identity, draw, stream):
    expected = reference.uniform(identity, draw, seed=seed, stream=stream)
    found = batched.uniform(
        torch.tensor([identity]), torch.tensor([draw]), seed=seed, stream=stream
    )
    assert found.item() == float(expected)
    assert 0 < found.item() < 1


def test_extreme_words_stay_inside_the_open_interval():
    words = np.array([0, 0xFFFFFFFF], dtype=np.uint64)
    low, high = reference._unit_interval(words, words)
    assert low == 2.0**-53
    assert high == 1.0 - 2.0**-53


def test_streams_seeds_trajectories_and_draws_are_independent():
    identity = np.arange(50)[:, None]
    draw = np.arange(40)
    base = reference.uniform(identity, draw, seed=1, stream=0)
    assert base.shape == (50, 40)
    assert len(np.unique(base)) == base.size
    for other in (
        reference.uniform(identity, draw, seed=2, stream=0),
        reference.uniform(identity, draw, seed=1 + 2**32, stream=0),
        reference.uniform(identity, draw, seed=1, stream=1),
        reference.uniform(identity + 2**32, draw, seed=1, stream=0),
    ):
        assert not np.isin(other, base).any()


def test_distributions():
    identity = np.arange(20_000)
    assert kstest(reference.uniform(identity, 5, seed=3, stream=0), "uniform").pvalue > 1e-3
    sample = reference.normals(identity[:5000], count=5, seed=3, stream=1)
    assert kstest(sample.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(sample.T) - np.eye(5)).max() < 5 / np.sqrt(5000)


def test_a_normal_number_depends_on_its_own_place_only():
    many = reference.normals(np.arange(10), count=8, seed=3, stream=1)
    few = reference.normals(np.array([7]), count=3, seed=3, stream=1)
    np.testing.assert_array_equal(many[7, :3], few[0])

"""Guesses come back from their bytes as they were."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.errors import ConfigError, DataError
from namd.qm.guess_file import pack_guess, unpack_guess

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_plain_values_survive(value: Any) -> None:
    assert unpack_guess(pack_guess(value)) == value


def test_arrays_survive_to_the_bit() -> None:
    guess = {
        "mo": np.random.default_rng(0).standard_normal((3, 4)),
        "kinds": [np.arange(3, dtype=np.int8), {"c": np.array([1j])}],
        "scalar": np.float64(0.1),
    }
    found = unpack_guess(pack_guess(guess))
    assert np.array_equal(found["mo"], guess["mo"])
    assert found["kinds"][0].dtype == np.int8
    assert np.array_equal(found["kinds"][1]["c"], [1j])
    assert found["scalar"] == 0.1


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, object()]}, r"guess\['a'\]\[1\] is object"),
        ({1: 2}, "guess is dict"),
        (np.array([None]), "guess is ndarray"),
    ],
)
def test_what_cannot_be_stored_is_told_by_its_place(value: Any, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        pack_guess(value)


def test_damaged_bytes_are_refused() -> None:
    with pytest.raises(DataError, match="damaged"):
        unpack_guess(pack_guess({"a": 1})[:-40])

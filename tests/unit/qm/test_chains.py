"""Chains are cut from the data alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.qm.chains import chains

GROUPS = st.lists(st.sampled_from("ab"), max_size=30)
STEPS = st.lists(st.sampled_from([0.0, 0.2, 0.5]), min_size=30, max_size=30)


def along(steps: list[float]) -> np.ndarray:
    """Frames of two atoms, of which the second goes so far in every step."""
    positions = np.zeros((len(steps), 2, 3))
    positions[:, 1, 2] = np.cumsum(steps)
    return positions


@given(GROUPS, STEPS, st.integers(1, 8))
def test_every_frame_is_in_one_chain_and_no_chain_crosses_groups_or_gaps(
    groups: list[str], steps: list[float], length: int
) -> None:
    positions = along(steps[: len(groups)])
    found = chains(groups, positions, length=length, within=0.3)
    assert [frame for chain in found for frame in chain] == list(range(len(groups)))
    assert all(1 <= len(chain) <= length for chain in found)
    assert all(len({groups[frame] for frame in chain}) == 1 for chain in found)
    assert all(steps[frame] < 0.3 for chain in found for frame in chain[1:])


@given(GROUPS, GROUPS, STEPS, st.integers(1, 8))
def test_chains_do_not_depend_on_what_comes_later(
    first: list[str], later: list[str], steps: list[float], length: int
) -> None:
    positions = along([*steps, *steps, *steps])
    every = [*first, "c", *later]
    alone = chains(first, positions[: len(first)], length=length, within=0.3)
    joined = chains(every, positions[: len(every)], length=length, within=0.3)
    assert joined[: len(alone)] == alone


@pytest.mark.parametrize(
    ("within", "links"), [(0.0, []), (0.1, [3]), (0.3, [1, 3]), (0.6, [1, 2, 3])]
)
def test_a_chain_ends_where_an_atom_has_gone_too_far(within: float, links: list[int]) -> None:
    """The atom that goes farthest counts; where nothing is known nothing is carried on."""
    positions = np.zeros((5, 2, 3))
    positions[1:, 1, 0] = 0.2
    positions[2:, 1, 0] = 0.7
    positions[4:] += np.nan
    found = chains(["a"] * 5, positions, length=9, within=within)
    warm = [frame for chain in found for frame in chain[1:]]
    assert warm == links


def test_a_molecule_that_moves_as_a_whole_is_not_near_to_itself() -> None:
    positions = np.zeros((2, 3, 3)) + np.array([0.0, 1.0])[:, None, None]
    found = chains(["a"] * 2, positions, length=9, within=0.5)
    assert found == [range(1), range(1, 2)]

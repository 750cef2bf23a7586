"""Chains are cut from the data alone."""

from hypothesis import given
from hypothesis import strategies as st

from namd.qm.chains import chains

GROUPS = st.lists(st.sampled_from("ab"), max_size=30)


@given(GROUPS, st.integers(1, 8))
def test_every_frame_is_in_one_chain_and_no_chain_crosses_groups(
    groups: list[str], length: int
) -> None:
    found = chains(groups, length=length)
    assert [frame for chain in found for frame in chain] == list(range(len(groups)))
    assert all(1 <= len(chain) <= length for chain in found)
    assert all(len({groups[frame] for frame in chain}) == 1 for chain in found)


@given(GROUPS, GROUPS, st.integers(1, 8))
def test_chains_do_not_depend_on_what_comes_later(
    first: list[str], later: list[str], length: int
) -> None:
    alone, joined = chains(first, length=length), chains([*first, "c", *later], length=length)
    assert joined[: len(alone)] == alone

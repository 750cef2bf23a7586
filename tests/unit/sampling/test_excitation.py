"""Selection by window and f/E²: probabilities, several states, reproducibility, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from namd.errors import DataError
from namd.sampling.excitation import Accepted, accept_transitions

BOTH = np.array([1, 2])


def accepted(
    energies: np.ndarray,
    strengths: np.ndarray | None,
    *,
    window: tuple[float, float] | None = None,
    allowed: np.ndarray = BOTH,
    seed: int = 3,
) -> Accepted:
    return accept_transitions(
        energies, strengths, initial=0, allowed=allowed, window=window, seed=seed
    )


def ladder(candidates: int, *excited: float) -> np.ndarray:
    return np.tile(np.array([0.0, *excited]), (candidates, 1)) - 76.0


def test_acceptance_is_in_proportion_to_f_over_e_squared() -> None:
    """S1: f/E² = 0.2/0.04 = 5, the largest; S2: 0.9/0.36 = 2.5, half of it."""
    candidates = 20_000
    strengths = np.tile([0.0, 0.2, 0.9], (candidates, 1))
    found = accepted(ladder(candidates, 0.2, 0.6), strengths)
    first, second = (found.candidate[found.state == k] for k in BOTH)
    assert len(first) == candidates
    assert abs(len(second) / candidates - 0.5) < 4 * 0.5 / np.sqrt(candidates)
    assert found.in_window == 2 * candidates
    # Draws of the two states are independent: neighbours in the file too.
    hit = np.isin(np.arange(candidates), second)
    assert abs(np.corrcoef(hit[1:], hit[:-1])[0, 1]) < 0.03


def test_the_window_counts_excitation_energies_and_sets_the_largest_weight() -> None:
    energies = np.array([[0.0, 0.10, 0.20], [0.1, 0.25, 0.40], [0.0, 0.16, 0.18]])
    strengths = np.array([[0.0, 9.0, 0.1], [0.0, 0.1, 9.0], [0.0, 0.1, 0.1]])
    found = accepted(energies, strengths, window=(0.14, 0.21))
    # In the window: (0, S2), (1, S1), (2, S1), (2, S2); the largest f/E² there is (1, S1).
    assert found.in_window == 4
    assert (1, 1) in set(zip(found.candidate.tolist(), found.state.tolist(), strict=True))
    assert (0, 1) not in set(zip(found.candidate.tolist(), found.state.tolist(), strict=True))
    everything = accepted(energies, None, window=(0.14, 0.21))
    pairs = list(zip(everything.candidate.tolist(), everything.state.tolist(), strict=True))
    assert pairs == [(0, 2), (1, 1), (2, 1), (2, 2)]


@given(seed=st.integers(0, 2**63 - 1), candidates=st.integers(1, 30), more=st.integers(0, 30))
def test_a_candidate_s_fate_does_not_depend_on_others_of_smaller_weight(
    seed: int, candidates: int, more: int
) -> None:
    rng = np.random.default_rng(candidates)
    energies = np.sort(rng.uniform(0.05, 0.3, (candidates + more, 3)), axis=1)
    energies[:, 0] = 0
    strengths = np.ones_like(energies)
    strengths[candidates:] = 1e-9
    few = accepted(energies[:candidates], strengths[:candidates], seed=seed)
    many = accepted(energies, strengths, seed=seed)
    mine = many.candidate < candidates
    np.testing.assert_array_equal(many.candidate[mine], few.candidate)
    np.testing.assert_array_equal(many.state[mine], few.state)
    assert len(few) >= 1  # the largest is always accepted


def test_only_allowed_states_are_looked_at() -> None:
    strengths = np.tile([0.0, 1.0, 1e-3], (50, 1))
    found = accepted(ladder(50, 0.1, 0.2), strengths, allowed=np.array([2]))
    assert set(found.state) == {2}
    assert len(found) == 50


def test_unknown_labels_are_left_out_and_counted() -> None:
    energies = ladder(4, 0.1, 0.2)
    energies[1, 2] = np.nan
    strengths = np.tile([0.0, 0.1, 0.1], (4, 1))
    strengths[3, 1] = np.nan
    found = accepted(energies, strengths)
    assert found.unknown == 2
    assert set(found.candidate) == {0, 2}


def test_dark_and_distant_states_are_told() -> None:
    with pytest.raises(DataError, match="none of 5 candidates has a transition in the window"):
        accepted(ladder(5, 0.1, 0.2), None, window=(0.3, 0.4))
    with pytest.raises(DataError, match="no transition in the window has an oscillator strength"):
        accepted(ladder(5, 0.1, 0.2), np.zeros((5, 3)))

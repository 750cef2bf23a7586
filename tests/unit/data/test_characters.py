"""How couplings change under exchanges of equal atoms: characters, signs of sites, labels."""

from itertools import permutations

import numpy as np
import pytest

from namd.data.character_regions import doubt, regions
from namd.data.characters import find_site_signs, real_characters, signs_of_character
from namd.data.permutations import bonds, equivalent_numberings
from namd.data.reading import read_dataset
from namd.errors import DataError
from namd.io.library import find_file
from namd.units import EV_PER_HARTREE

PAIR_OF_PAIRS = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2]])


def cyclic(order: int) -> np.ndarray:
    return np.array([np.roll(np.arange(order), k) for k in range(order)])


@pytest.mark.parametrize(
    ("group", "count"),
    [
        (np.array([[0, 1, 2]]), 1),
        (cyclic(3), 1),
        (cyclic(4), 2),
        (PAIR_OF_PAIRS, 4),
        (np.array(list(permutations(range(4)))), 2),
    ],
    ids=["C1", "C3", "C4", "C2 x C2", "S4"],
)
def test_real_characters_are_the_homomorphisms_to_plus_and_minus_one(
    group: np.ndarray, count: int
) -> None:
    found = real_characters(group)
    assert found.shape == (count, len(group))
    assert (found[0] == 1).all()
    assert len(np.unique(found, axis=0)) == count
    number = {tuple(g): k for k, g in enumerate(group.tolist())}
    for one, g in enumerate(group):
        for other, h in enumerate(group):
            composed = number[tuple(g[h].tolist())]
            assert (found[:, composed] == found[:, one] * found[:, other]).all()


def test_signs_follow_their_character() -> None:
    """s_{g[i]} = χ(g) s_i, and no atom that could have a sign is left out."""
    for character in real_characters(PAIR_OF_PAIRS):
        signs = signs_of_character(PAIR_OF_PAIRS, character)
        for g, chi in zip(PAIR_OF_PAIRS, character, strict=True):
            assert (signs[g] == chi * signs).all()
    assert signs_of_character(PAIR_OF_PAIRS, np.array([1, -1, 1, -1])).tolist() == [1, -1, 0, 0]
    assert signs_of_character(PAIR_OF_PAIRS, np.array([1, -1, -1, 1])).tolist() == [0, 0, 0, 0]


def labels(
    characters: tuple[int, ...], *, frames: int = 40, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Bent HOH near its symmetric geometry; h_ij = ∇(r₁ ± r₂), signs of the states at random."""
    rng = np.random.default_rng(seed)
    minimum = np.array([[0.0, 0, 0], [1.8, 0, 0], [-0.5, 1.7, 0]])
    positions = minimum + 0.1 * rng.standard_normal((frames, 3, 3))
    bond = positions[:, 1:] - positions[:, :1]
    unit = bond / np.linalg.norm(bond, axis=-1, keepdims=True)
    coupling = np.zeros((frames, len(characters), 3, 3))
    for pair, chi in enumerate(characters):
        coupling[:, pair, 1:] = unit * np.array([1, chi])[:, None]
        coupling[:, pair, 0] = -coupling[:, pair, 1:].sum(1)
    states = rng.choice([-1, 1], (frames, 3))
    one, two = np.triu_indices(3, k=1)
    return positions, coupling * (states[:, one] * states[:, two])[:, : len(characters), None, None]


EXCHANGE = np.array([[0, 1, 2], [0, 2, 1]])


@pytest.mark.parametrize("chi", [1, -1])
def test_labels_of_arbitrary_sign_tell_the_character(chi: int) -> None:
    found = find_site_signs(*labels((chi,)), EXCHANGE, states=2)
    assert found.signs[0, 1].tolist() == [(1 + chi) // 2, 1, chi]
    assert (found.signs[[0, 1], [0, 1]] == 1).all()
    assert found.odd == ((1 - chi) // 2,)
    assert found.agreement > 0.95
    assert found.second < 0.5
    assert found.alike == 1
    assert f"S0–S1 with {found.odd[0]};" in found.told(["S0", "S1"])


def test_pairs_of_three_states_belong_together() -> None:
    """The third character is the product of two, also where half of the labels of its pair lie."""
    positions, coupling = labels((-1, 1, -1))
    coupling[::2, 2] = np.random.default_rng(5).standard_normal(coupling[::2, 2].shape)
    found = find_site_signs(positions, coupling, EXCHANGE, states=3)
    assert found.odd == (1, 0, 1)
    assert (found.signs[1, 2] == found.signs[0, 1]).all()


def joined(*parts: tuple[float, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels at so large gaps (eV), of such a character, so many."""
    made = [labels((chi,), frames=count, seed=k) for k, (_, chi, count) in enumerate(parts)]
    gaps = [np.full((count, 1), gap / EV_PER_HARTREE) for gap, _, count in parts]
    positions, coupling = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
    return positions, coupling, np.concatenate(gaps)


def test_another_character_at_other_gaps_is_told() -> None:
    positions, coupling, gaps = joined((3.0, -1, 40), (0.7, 1, 30), (0.2, 1, 10))
    found = find_site_signs(positions[:40], coupling[:40], EXCHANGE, states=2)
    assert found.odd == (1,)
    made = regions(found, positions, coupling, gaps, EXCHANGE)
    assert [(each.lower, each.frames) for each in made] == [(0.5, 30), (2.0, 40)]  # 10 are few
    assert [each.contradicts for each in made] == [True, False]
    told = doubt(made, ["S0", "S1"])
    assert told is not None
    assert told.startswith("at gaps between 0.5 and 1 eV (30 frames) labels agree to 0.")
    assert "if 0 exchanges change S0–S1" in told


@pytest.mark.parametrize("chi", [1, -1])
def test_one_character_at_all_gaps_raises_no_doubt(chi: int) -> None:
    positions, coupling, gaps = joined((3.0, chi, 60), (0.7, chi, 30), (0.2, chi, 30))
    coupling[100:] = np.random.default_rng(2).standard_normal(coupling[100:].shape)  # nor noise
    coupling[:5] = np.nan
    found = find_site_signs(positions, coupling, EXCHANGE, states=2)
    made = regions(found, positions, coupling, gaps, EXCHANGE)
    assert [each.frames for each in made] == [30, 30, 55]
    assert doubt(made, ["S0", "S1"]) is None


def test_unknown_couplings_are_passed_over() -> None:
    positions, coupling = labels((-1,))
    coupling[::3] = np.nan
    assert find_site_signs(positions, coupling, EXCHANGE, states=2).odd == (1,)


def test_where_nothing_can_be_exchanged_there_is_no_other_choice() -> None:
    found = find_site_signs(*labels((-1,)), EXCHANGE[:1], states=2)
    assert (found.signs == 1).all()
    assert found.told(["S0", "S1"]).endswith("S0–S1 with 0; labels agree to 1.00")


def test_labels_that_do_not_tell_are_refused() -> None:
    positions, coupling = labels((1,))
    noise = np.random.default_rng(1).standard_normal(coupling.shape)
    with pytest.raises(DataError, match="do not tell"):
        find_site_signs(positions, noise, EXCHANGE, states=2)


def test_what_no_label_can_tell_is_told() -> None:
    """The hydrogens of the far end never change places: both choices explain everything."""
    positions, coupling = labels((-1,))
    group = np.array([[0, 1, 2, 3, 4], [0, 2, 1, 3, 4], [0, 1, 2, 4, 3], [0, 2, 1, 4, 3]])
    axis = np.array([1.3, 1.7, 0])  # of the symmetric molecule
    far = np.zeros((len(positions), 2, 3)) + np.array([2 * axis, 4 * axis])
    found = find_site_signs(
        np.concatenate([positions, far], 1),
        np.pad(coupling, [(0, 0)] * 2 + [(0, 2), (0, 0)]),
        group,
        states=2,
    )
    assert found.alike == 2
    assert found.signs[0, 1].tolist() == [0, 1, -1, 0, 0]
    assert "2 choices differ only where no labelled geometry is" in found.told(["S0", "S1"])


def test_the_states_of_stilbene_differ_under_exchange_of_its_halves() -> None:
    """S1 is B_u of the planar trans isomer and B of the cis isomer, S0 totally symmetric."""
    dataset = read_dataset(find_file("models/stilbene-ssr/data/stilbene-ssr-thinned.h5"))
    bonded = bonds(dataset.molecule, dataset["positions"][0])
    found = find_site_signs(
        dataset["positions"],
        dataset.interstate_coupling,
        equivalent_numberings(dataset.molecule, bonded),
        states=2,
    )
    one_half = [0, 1, 2, 3, 4, 5, 6, 14, 15, 16, 17, 18, 19]
    expected = -np.ones(26)
    expected[one_half] = 1
    assert (found.signs[0, 1] == expected).all()
    assert found.agreement > 0.8
    assert found.second < 0.3
    assert found.alike == 2  # nothing is near a geometry with one ring turned over


def test_in_the_funnel_of_stilbene_they_do_not() -> None:
    """Another state has come down there: the same labels by gap, and those of the funnel alone."""
    for name, odd, contradicted in (("thinned", 4, [0.5]), ("funnel", 0, [1.0])):
        dataset = read_dataset(find_file(f"models/stilbene-ssr/data/stilbene-ssr-{name}.h5"))
        place, coupling = dataset["positions"], dataset.interstate_coupling
        numberings = equivalent_numberings(dataset.molecule, bonds(dataset.molecule, place[0]))
        found = find_site_signs(place, coupling, numberings, states=2)
        assert found.odd == (odd,)
        made = regions(found, place, coupling, dataset.gaps, numberings)
        assert [each.lower for each in made if each.contradicts] == contradicted

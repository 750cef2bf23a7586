"""How the coupling of two states changes when equal atoms change places: +, or −.

The states of a molecule are even or odd under every exchange g of equal atoms that leaves the bonds
as they are, however distorted the molecule is: W_kl(x[g]) = χ_k(g) χ_l(g) W_kl(x) with real
characters χ = ±1 of the group of these exchanges. For the S1 of stilbene, B_u of the planar trans
isomer and B of the cis isomer, the exchange of the two halves has χ = −1.

Labels tell χ although each has an arbitrary sign: geometries that are nearly alike have couplings
that are nearly alike, up to sign. Of all choices of χ and of one sign per frame that one is taken
which gives the largest sum, over a frame and the images of another, of the cosine of their
couplings, weighted by how near they are.

A sum over atoms Σ_i s_i φ(environment of i) has the character χ if s_{g[i]} = χ(g) s_i. Atoms for
which this has no answer but zero do not contribute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from namd.errors import DataError

_MOST_FRAMES, _MOST_PAIRS, _MOST_CHOICES = 160, 250_000, 10_000
_CLEAR = 0.5  # the best choice must reach it, any other stay below so much of the best
_NOTHING = 0.01  # share of the evidence that is none
_NO_OTHER = -1.0
_NEAR = 2.0  # times the median distance of nearest neighbours


@dataclass(frozen=True, kw_only=True)
class SiteSigns:
    """Signs of the atoms' contributions to every element of W, and what speaks for them.

    Parameters
    ----------
    signs
        +1, −1 or 0; +1 on the diagonal.
    characters
        Of each pair of states, ±1 for every numbering.
    odd
        For each pair of states in the order of every ``pair`` axis, how many of the numberings
        change its sign.
    numberings
        How many there are.
    agreement, second
        Σ w cos / Σ w |cos| over near geometries: 1 where the signs chosen explain every pair; and
        the same of the next best choice, over the pairs of states for which it differs; −1 if there
        is none.
    alike
        How many choices the labels cannot tell apart, because no geometry is near those images of
        others; of these the one is taken to which most atoms contribute.
    """

    signs: Int[np.ndarray, "state state atom"]
    characters: Int[np.ndarray, "pair numbering"]
    odd: tuple[int, ...]
    numberings: int
    agreement: float
    second: float
    alike: int

    def told(self, labels: Sequence[str]) -> str:
        """In words, with the names of the states."""
        changes = ", ".join(
            f"{one}–{other} with {odd}"
            for (one, other), odd in zip(combinations(labels, 2), self.odd, strict=True)
        )
        text = (
            f"of {self.numberings} exchanges of equal atoms couplings change sign: {changes}; "
            f"labels agree to {self.agreement:.2f}"
        )
        if self.second > _NO_OTHER:
            text += f", with the next best choice to {self.second:.2f}"
        if self.alike > 1:
            text += f"; {self.alike} choices differ only where no labelled geometry is"
        return text


def real_characters(
    numberings: Int[np.ndarray, "numbering atom"],
) -> Int[np.ndarray, "character numbering"]:
    """All homomorphisms of a group of permutations to ±1, the trivial one first.

    Examples
    --------
    >>> real_characters(np.array([[0, 1], [1, 0]])).tolist()
    [[1, 1], [1, -1]]
    """
    number = {tuple(g): k for k, g in enumerate(numberings.tolist())}
    identity = number[tuple(range(numberings.shape[1]))]
    words: dict[int, frozenset[int]] = {identity: frozenset()}  # generators of odd power
    generators: list[int] = []
    relations: set[frozenset[int]] = set()
    while len(words) < len(numberings):
        generators.append(next(k for k in range(len(numberings)) if k not in words))
        reached = list(words)
        while reached:
            k = reached.pop()
            for n, g in enumerate(generators):
                image = number[tuple(numberings[k][numberings[g]].tolist())]
                word = words[k] ^ {n}
                if image in words:
                    relations.add(word ^ words[image])
                else:
                    words[image] = word
                    reached.append(image)

    def sign(word: frozenset[int], values: Sequence[int]) -> int:
        return int(np.prod([values[n] for n in word], initial=1))

    return np.array(
        [
            [sign(words[k], values) for k in range(len(numberings))]
            for values in product((1, -1), repeat=len(generators))
            if all(sign(relation, values) == 1 for relation in relations)
        ]
    )


def signs_of_character(
    numberings: Int[np.ndarray, "numbering atom"], character: Int[np.ndarray, " numbering"]
) -> Int[np.ndarray, " atom"]:
    """Signs s with s_{g[i]} = χ(g) s_i, +1 at the first atom of each orbit; 0 where there are none.

    Examples
    --------
    >>> signs_of_character(np.array([[0, 1, 2], [0, 2, 1]]), np.array([1, -1])).tolist()
    [0, 1, -1]
    """
    signs = np.zeros(numberings.shape[1], dtype=np.int64)
    for first in range(len(signs)):
        images = numberings[:, first]
        if images.min() < first:
            continue  # of an orbit that is done
        values = [set(character[images == atom].tolist()) for atom in np.unique(images)]
        if all(len(value) == 1 for value in values):
            signs[np.unique(images)] = [value.pop() for value in values]
    return signs


def find_site_signs(
    positions: Float[np.ndarray, "frame atom 3"],
    coupling: Float[np.ndarray, "frame pair atom 3"],
    numberings: Int[np.ndarray, "numbering atom"],
    *,
    states: int,
) -> SiteSigns:
    """Find the characters of all states from labels.

    Parameters
    ----------
    positions
        Bohr.
    coupling
        h_ij of all pairs of states, of arbitrary sign; frames with unknown ones are passed over.
    numberings
        Of :func:`namd.data.permutations.equivalent_numberings`.
    states
        How many.

    Raises
    ------
    DataError
        If the labels do not tell, no atom can carry the sign, or there is too much to try.
    """
    characters = real_characters(numberings)
    sites = np.stack([signs_of_character(numberings, each) for each in characters])
    number = {tuple(each): k for k, each in enumerate(characters.tolist())}
    pairs = list(combinations(range(states), 2))
    scores, evidence = character_scores(positions, coupling, numberings, characters)

    def of_pair(choice: Sequence[int], i: int, j: int) -> int:
        return number[tuple((characters[choice[i]] * characters[choice[j]]).tolist())]

    if len(characters) ** (states - 1) > _MOST_CHOICES:
        raise DataError(
            f"{len(characters)} characters of the exchanges of equal atoms, for each of {states} "
            "states, are more than can be tried",
            where="network.site_labels: signs",
            hint="use site_labels: offdiagonal",
        )
    choices = [
        np.array([of_pair((0, *free), i, j) for i, j in pairs])
        for free in product(range(len(characters)), repeat=states - 1)
    ]
    equal, agreement, second = _choose(choices, scores, evidence, characters)
    taken = max(equal, key=lambda choice: int(np.abs(sites[choice]).sum()))
    if any(not sites[c].any() for c in taken):
        raise DataError(
            "a coupling changes its sign with an exchange of atoms that leaves every atom with "
            "others of its kind where it is: no sum over atoms does that",
            where="network.site_labels: signs",
            hint="use site_labels: offdiagonal",
        )
    signs = np.ones((states, states, positions.shape[1]), dtype=np.int64)
    for (i, j), c in zip(pairs, taken, strict=True):
        signs[i, j] = signs[j, i] = sites[c]
    return SiteSigns(
        signs=signs,
        characters=characters[taken],
        odd=tuple(int((characters[c] < 0).sum()) for c in taken),
        numberings=len(numberings),
        agreement=agreement,
        second=second,
        alike=len(equal),
    )


def _choose(
    choices: Sequence[Int[np.ndarray, " pair"]],
    scores: Float[np.ndarray, "pair character"],
    evidence: Float[np.ndarray, "pair numbering"],
    characters: Int[np.ndarray, "character numbering"],
) -> tuple[list[np.ndarray], float, float]:
    """The best choice of characters and those that no label tells from it; two agreements."""
    each = np.arange(len(scores))
    best = max(choices, key=lambda choice: float(scores[each, choice].sum()))
    agreement, equal, second = float(scores[each, best].mean()), [best], _NO_OTHER
    for choice in choices:
        differs = choice != best
        if not differs.any():
            continue
        won, lost = (float(scores[each, c][differs].mean()) for c in (best, choice))
        tells = (evidence * (characters[choice] != characters[best])).sum(1)
        if tells[differs].mean() < _NOTHING:
            equal.append(choice)
        elif lost > _CLEAR * won:
            raise _unclear(won, lost)
        else:
            second = max(second, lost)
    if agreement < _CLEAR:
        raise _unclear(agreement, second)
    return equal, agreement, second


def _unclear(best: float, other: float) -> DataError:
    return DataError(
        f"the labels do not tell how couplings change with the exchange of equal atoms: the best "
        f"choice of signs agrees with them to {best:.2f}, another to {other:.2f}",
        where="network.site_labels: signs",
        hint="use site_labels: offdiagonal, or add labels near symmetric geometries",
    )


def character_scores(
    positions: Float[np.ndarray, "frame atom 3"],
    coupling: Float[np.ndarray, "frame pair atom 3"],
    numberings: Int[np.ndarray, "numbering atom"],
    characters: Int[np.ndarray, "character numbering"],
) -> tuple[Float[np.ndarray, "pair character"], Float[np.ndarray, "pair numbering"]]:
    """Agreement of labels with every character, and the share of the evidence of each numbering.

    Parameters
    ----------
    positions, coupling, numberings
        As of :func:`find_site_signs`.
    characters
        Of :func:`real_characters`.
    """
    pairs = coupling.shape[1]
    if len(numberings) == 1:
        return np.ones((pairs, 1)), np.ones((pairs, 1))
    known = np.flatnonzero(np.isfinite(coupling).all((1, 2, 3)))
    most = int(min(_MOST_FRAMES, max(8, (_MOST_PAIRS / len(numberings)) ** 0.5), len(known)))
    rows = known[np.linspace(0, len(known) - 1, most).round().astype(int)]
    places = positions[rows] - positions[rows].mean(1, keepdims=True)
    fields = coupling[rows]
    norms = np.sqrt(np.square(fields).sum((2, 3), keepdims=True))
    fields = fields / np.where(norms > 0, norms, 1.0)
    distances = np.empty((most, most, len(numberings)))
    cosines = np.empty((pairs, most, most, len(numberings)))
    for k, g in enumerate(numberings):
        found = _superposed(places, places[:, g], fields, fields[:, :, g])
        distances[:, :, k], cosines[:, :, :, k] = found
    identity = (numberings == np.arange(numberings.shape[1])).all(1)
    itself = np.eye(most, dtype=bool)[:, :, None] & identity
    nearest = np.where(itself, np.inf, distances).min((1, 2))
    width = max(_NEAR * float(np.median(nearest)), 1e-6)
    near = np.where(itself, 0.0, np.exp(-0.5 * (distances / width) ** 2)) * cosines
    scale = np.abs(near).sum((1, 2, 3))
    aligned = [[_aligned(each @ chi) for chi in characters] for each in near]
    scale = np.where(scale > 0, scale, 1.0)[:, None]
    return np.array(aligned) / scale, np.abs(near).sum((1, 2)) / scale


def _superposed(
    places: np.ndarray, images: np.ndarray, fields: np.ndarray, turned: np.ndarray
) -> tuple[Float[np.ndarray, "frame frame"], Float[np.ndarray, "pair frame frame"]]:
    """Distances of each geometry from each image, turned onto it, and cosines of their fields.

    The rotation is that of W. Kabsch, Acta Cryst. A 32 (1976) 922, doi:10.1107/S0567739476001873.
    """
    left, values, right = np.linalg.svd(np.einsum("biy,aix->abyx", images, places))
    handed = np.sign(np.linalg.det(left @ right))
    left[..., 2] *= handed[..., None]
    values[..., 2] *= handed
    squares = np.square(places).sum((1, 2))
    apart = squares[:, None] + squares - 2.0 * values.sum(-1)
    outer = np.einsum("bpiy,apix->pabyx", turned, fields)
    return np.sqrt(apart.clip(min=0.0)), (outer * (left @ right)).sum((-1, -2))


def _aligned(weights: Float[np.ndarray, "frame frame"]) -> float:
    """Largest Σ_ab s_a s_b w_ab over the signs s of the frames: a local maximum."""
    weights = (weights + weights.T) / 2
    own, bonds = float(np.trace(weights)), weights - np.diag(np.diag(weights))
    size = np.abs(bonds)
    tree = minimum_spanning_tree(2.0 - size / max(float(size.max()), 1e-300))
    order, before = breadth_first_order(tree, 0, directed=False)
    signs = np.ones(len(bonds))
    for k in order[1:]:
        signs[k] = signs[before[k]] * (1.0 if bonds[k, before[k]] >= 0 else -1.0)
    for _ in range(len(bonds)):
        gains = signs * (bonds @ signs)
        worst = int(gains.argmin())
        if gains[worst] >= 0:
            break
        signs[worst] *= -1.0
    return own + float(signs @ bonds @ signs)

"""Whether the labels tell the same characters at every gap.

An adiabatic state need not keep its symmetry. Where another one comes down and crosses it,
couplings that changed their sign with an exchange of equal atoms keep it from there on, or the
other way round. The shipped labels of cis-stilbene say that of the exchange of its halves: odd
where light takes it, even in the ring-closing funnel. As many diabats as states, each with one
character, cannot be both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float, Int

from namd.data.characters import SiteSigns, character_scores, real_characters
from namd.units import EV_PER_HARTREE

EDGES_EV = (0.5, 1.0, 2.0)
"""Between the regions of the gap."""

_FEWEST = 16  # frames
_SURE = 0.8  # agreement with another choice
_REFUTED = 0.7  # of that the one found reaches less
_TOLD = 0.05  # share of the evidence that tells the two apart


@dataclass(frozen=True, kw_only=True)
class Region:
    """What the labels of one pair of states tell within a range of its gap.

    Parameters
    ----------
    pair
        Number of the pair.
    lower, upper
        Gap, eV.
    frames
        With a known coupling.
    agreement
        With the characters that were found.
    other
        With the best of those that the labels tell from them; −1 if they tell none.
    odd
        How many exchanges change the sign in that other one.
    """

    pair: int
    lower: float
    upper: float
    frames: int
    agreement: float
    other: float
    odd: int

    @property
    def contradicts(self) -> bool:
        """Whether the labels tell other characters here."""
        return self.other > _SURE and self.agreement < _REFUTED * self.other


def regions(
    found: SiteSigns,
    positions: Float[np.ndarray, "frame atom 3"],
    coupling: Float[np.ndarray, "frame pair atom 3"],
    gaps: Float[np.ndarray, "frame pair"],
    numberings: Int[np.ndarray, "numbering atom"],
) -> list[Region]:
    """Agreement of the labels with what was found in all of them, by gap.

    Parameters
    ----------
    found, positions, coupling, numberings
        As of :func:`namd.data.characters.find_site_signs`.
    gaps
        Hartree.

    Returns
    -------
    list of Region
        Of every pair and range with 16 frames or more.
    """
    characters = real_characters(numberings)
    edges = (0.0, *EDGES_EV, np.inf)
    made = []
    for pair in range(coupling.shape[1]):
        known = np.isfinite(coupling[:, pair]).all((1, 2))
        chosen = int((characters == found.characters[pair]).all(1).argmax())
        for lower, upper in pairwise(edges):
            gap = gaps[:, pair] * EV_PER_HARTREE
            rows = np.flatnonzero(known & (gap >= lower) & (gap < upper))
            if len(rows) < _FEWEST:
                continue
            (scores,), (evidence,) = character_scores(
                positions[rows], coupling[rows, pair, None], numberings, characters
            )
            told = (evidence * (characters != characters[chosen])).sum(1) > _TOLD
            other = int(np.where(told, scores, -np.inf).argmax())
            made.append(
                Region(
                    pair=pair,
                    lower=lower,
                    upper=upper,
                    frames=len(rows),
                    agreement=float(scores[chosen]),
                    other=float(scores[other]) if told.any() else -1.0,
                    odd=int((characters[other] < 0).sum()),
                )
            )
    return made


def doubt(made: Sequence[Region], labels: Sequence[str]) -> str | None:
    """Say where the labels contradict the choice most clearly; None where they do not.

    Geometries on both sides of an intersection, farther apart than its cone is wide, look the same
    as a state of another symmetry, so that this is a doubt, and not an error.

    Parameters
    ----------
    made
        All regions.
    labels
        Of the states.
    """
    against = [region for region in made if region.contradicts]
    if not against:
        return None
    worst = max(against, key=lambda region: region.other - region.agreement)
    one, other = list(combinations(labels, 2))[worst.pair]
    gaps = f"above {worst.lower:g} eV"
    if np.isfinite(worst.upper):
        gaps = f"between {worst.lower:g} and {worst.upper:g} eV"
    return (
        f"at gaps {gaps} ({worst.frames} frames) labels agree to {worst.agreement:.2f} only with "
        f"these signs, and to {worst.other:.2f} if {worst.odd} exchanges change {one}–{other}: "
        "another state may have come between, and no choice is right for both; if so, use "
        "site_labels: offdiagonal"
    )

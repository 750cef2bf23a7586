"""``site_labels: signs``: find in the labels how couplings change, and tell the network.

With more diabats than states, the further ones take the characters of the states in turn: the third
of two states is like the lowest, as the configurations of two electrons in two orbitals are (even:
both in one orbital, or both in the other; odd: one in each). Then a state may change its symmetry
where another comes near, and where labels contradict each other, those of the larger half of the
gaps decide, where none has come yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from namd.data.character_regions import Region, doubt, regions
from namd.data.characters import SiteSigns, find_site_signs
from namd.data.dataset import Dataset
from namd.data.permutations import bonds, equivalent_numberings
from namd.errors import ConfigError, DataError
from namd.nn.model import DiabaticModel
from namd.nn.readout import set_site_signs

_FEWEST = 16  # frames that may tell


@dataclass(frozen=True, kw_only=True)
class FoundSigns:
    """What the labels tell of the signs.

    Parameters
    ----------
    signs
        From all of them.
    regions
        How they agree with it at different gaps.
    surplus
        Diabats beyond the states.
    """

    signs: SiteSigns
    regions: tuple[Region, ...]
    surplus: int = 0

    def told(self, labels: Sequence[str]) -> str:
        """In words."""
        like = [
            f"diabat {len(labels) + k} is like {labels[k % len(labels)]}"
            for k in range(self.surplus)
        ]
        return "; ".join([self.signs.told(labels), *like])

    def doubt(self, labels: Sequence[str]) -> str | None:
        """What speaks against it, in words; of more diabats than states, nothing does."""
        return None if self.surplus else doubt(self.regions, labels)


def wants_site_signs(model: DiabaticModel) -> bool:
    """Whether its readout has signs, so that it treats all equivalent numberings alike."""
    return getattr(model.information.architecture, "site_labels", None) == "signs"


def take_site_signs(model: DiabaticModel, training: Dataset) -> FoundSigns | None:
    """Set the signs of a network that has them; of one state there are none.

    Parameters
    ----------
    model
        Changed in place.
    training
        Labelled frames.

    Raises
    ------
    ConfigError
        If the molecule has too many equivalent numberings of its atoms.
    DataError
        If the labels do not tell.
    """
    states, diabats = len(model.information.states), model.information.diabats
    if states == 1:
        return None
    bonded = bonds(training.molecule, training["positions"][0])
    try:
        numberings = equivalent_numberings(training.molecule, bonded)
    except ConfigError as error:
        raise ConfigError(
            error.message,
            where="network.site_labels: signs",
            hint="use site_labels: offdiagonal, with data.permute_equal_atoms: false",
        ) from error
    positions, coupling, gaps = training["positions"], training.interstate_coupling, training.gaps
    try:
        found = find_site_signs(positions, coupling, numberings, states=states)
    except DataError:
        wide = gaps.min(1) >= np.median(gaps.min(1))
        if diabats == states or wide.sum() < _FEWEST:
            raise
        found = find_site_signs(positions[wide], coupling[wide], numberings, states=states)
    made = regions(found, positions, coupling, gaps, numberings)
    row, column = np.indices((diabats, diabats)) % states
    signs = torch.from_numpy(found.signs[row, column].astype(np.float64))
    set_site_signs(model.network, signs)
    return FoundSigns(signs=found, regions=tuple(made), surplus=diabats - states)

"""``site_labels: signs``: find in the labels how couplings change, and tell the network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from namd.data.character_regions import Region, doubt, regions
from namd.data.characters import SiteSigns, find_site_signs
from namd.data.dataset import Dataset
from namd.data.permutations import bonds, equivalent_numberings
from namd.errors import ConfigError
from namd.nn.model import DiabaticModel
from namd.nn.readout import set_site_signs


@dataclass(frozen=True, kw_only=True)
class FoundSigns:
    """What the labels tell of the signs.

    Parameters
    ----------
    signs
        From all of them.
    regions
        How they agree with it at different gaps.
    """

    signs: SiteSigns
    regions: tuple[Region, ...]

    def told(self, labels: Sequence[str]) -> str:
        """In words."""
        return self.signs.told(labels)

    def doubt(self, labels: Sequence[str]) -> str | None:
        """What speaks against it, in words."""
        return doubt(self.regions, labels)


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
        If W has more diabats than states, of which no label tells a sign, or the molecule has too
        many equivalent numberings of its atoms.
    DataError
        If the labels do not tell.
    """
    states = len(model.information.states)
    if model.information.diabats != states:
        raise ConfigError(
            f"W has {model.information.diabats} diabats for {states} states, and no label tells "
            "the signs of the others",
            where="network.site_labels: signs",
            hint="leave diabats at null, or use site_labels: offdiagonal",
        )
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
    found = find_site_signs(
        training["positions"], training.interstate_coupling, numberings, states=states
    )
    made = regions(
        found,
        training["positions"],
        training.interstate_coupling,
        training.gaps,
        numberings,
    )
    set_site_signs(model.network, torch.from_numpy(found.signs.astype(np.float64)))
    return FoundSigns(signs=found, regions=tuple(made))

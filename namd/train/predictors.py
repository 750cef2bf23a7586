"""What is compared with labels: one trained model, or the mean of several and their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from namd.io.committee_file import is_committee, read_committee
from namd.io.model_header import read_model_header
from namd.nn.adiabatic import Adiabatic
from namd.nn.distance import FeatureDistance, load_distance
from namd.nn.model import DiabaticModel, ModelInformation
from namd.nn.model_folder import load_model
from namd.potentials.deviation import deviation_of, gaps_of, mean_of
from namd.potentials.signs import signs_of_couplings, turn_couplings
from namd.potentials.trained import member_folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """Standard deviations of everything that is predicted, not calibrated.

    Parameters
    ----------
    energies, gaps
        Of every E_k, and of every E_j − E_i of pairs i < j.
    forces, couplings
        Of every component of the forces of all states, and of all h_ij.
    """

    energies: Float[Tensor, "molecule state"]
    gaps: Float[Tensor, "molecule pair"]
    forces: Float[Tensor, "molecule state atom 3"]
    couplings: Float[Tensor, "molecule pair atom 3"]


@runtime_checkable
class Predictor(Protocol):
    """A model as an evaluation sees it."""

    @property
    def information(self) -> ModelInformation:
        """What it was made for."""
        ...

    @property
    def device(self) -> torch.device:
        """Where positions are to be."""
        ...

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a deviation; infinite where it is not an estimate of few."""
        ...

    @property
    def scales(self) -> Mapping[str, float]:
        """Quantity → factor of its deviation; empty where it is not calibrated."""
        ...

    def predict(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> tuple[Adiabatic, Deviation | None]:
        """Energies, forces, couplings and dipoles at ``positions`` (Bohr), and their deviations."""
        ...


@dataclass(frozen=True, eq=False)
class Single:
    """One model; what it says of its errors follows from the distance of its features.

    Parameters
    ----------
    model
        The model.
    distance
        From its training frames; None if that is not known.
    """

    model: DiabaticModel
    distance: FeatureDistance | None = None

    @property
    def information(self) -> ModelInformation:
        """That of the model."""
        return self.model.information

    @property
    def device(self) -> torch.device:
        """That of the model."""
        return self.model.shift.device

    @property
    def freedom(self) -> float:
        """Infinite."""
        return float("inf")

    @property
    def scales(self) -> Mapping[str, float]:
        """Errors per unit of distance, Hartree and Hartree/Bohr."""
        return {} if self.distance is None else self.distance.scales

    def predict(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> tuple[Adiabatic, Deviation | None]:
        """What the model says, and deviations of one atomic unit per unit of distance."""
        made, features = self.model.adiabatic(positions), self.model.features(positions)
        if self.distance is None or features is None:
            return made, None
        apart = self.distance(features)
        return made, Deviation(
            energies=apart[:, None].expand_as(made.energies),
            gaps=apart[:, None].expand(made.interstate_coupling.shape[:2]),
            forces=apart[:, None, None, None].expand_as(made.forces),
            couplings=apart[:, None, None, None].expand_as(made.interstate_coupling),
        )


@dataclass(frozen=True, eq=False)
class Committee:
    """Several models: their mean, in the gauge of the first one, and their spread.

    Parameters
    ----------
    members
        Of the same molecule and states.
    name
        Of the committee.
    scales
        Quantity → factor of its deviation.
    """

    members: Sequence[DiabaticModel]
    name: str
    scales: Mapping[str, float] = field(default_factory=dict)

    @property
    def information(self) -> ModelInformation:
        """That of the members under the name of the committee."""
        return replace(self.members[0].information, name=self.name)

    @property
    def device(self) -> torch.device:
        """That of the members."""
        return self.members[0].shift.device

    @property
    def freedom(self) -> float:
        """One less than there are members."""
        return len(self.members) - 1.0

    def predict(
        self, positions: Float[Tensor, "molecule atom 3"]
    ) -> tuple[Adiabatic, Deviation | None]:
        """Means and standard deviations over the members."""
        found = _in_one_gauge([member.adiabatic(positions) for member in self.members])
        energies = [each.energies for each in found]
        forces = [each.forces for each in found]
        couplings = [each.interstate_coupling for each in found]
        dipoles = [each.transition_dipoles for each in found if each.transition_dipoles is not None]
        mean = Adiabatic(
            energies=mean_of(energies),
            forces=mean_of(forces),
            interstate_coupling=mean_of(couplings),
            transition_dipoles=mean_of(dipoles) if len(dipoles) == len(found) else None,
        )
        return mean, Deviation(
            energies=deviation_of(energies),
            gaps=deviation_of([gaps_of(each) for each in energies]),
            forces=deviation_of(forces),
            couplings=deviation_of(couplings),
        )


def load_predictor(folder: Path) -> Predictor:
    """Load a model folder or a committee, on the CPU.

    Raises
    ------
    ModelError
        If it cannot be used.
    """
    if is_committee(folder):
        members = [load_model(place) for place in member_folders(folder)]
        told = read_committee(folder)
        return Committee(members, told.name, told.scales)
    digest = str(read_model_header(folder)["sha256"])
    return Single(load_model(folder), load_distance(folder, sha256=digest))


def _in_one_gauge(found: Sequence[Adiabatic]) -> list[Adiabatic]:
    """All with the signs of states nearest to the first one's couplings; dipoles turn along."""
    states = found[0].energies.shape[1]
    turned = []
    for each in found:
        signs = signs_of_couplings(
            found[0].interstate_coupling, each.interstate_coupling, states=states
        )
        dipoles = each.transition_dipoles
        if dipoles is not None:
            dipoles = turn_couplings(dipoles[:, :, None], signs)[:, :, 0]
        couplings = turn_couplings(each.interstate_coupling, signs)
        turned.append(replace(each, interstate_coupling=couplings, transition_dipoles=dipoles))
    return turned

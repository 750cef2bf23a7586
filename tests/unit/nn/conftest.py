"""A small molecule and small networks for the tests of this folder."""

import numpy as np
import pytest
import torch

from namd.config.architecture import (
    CormorantArchitecture,
    FusionArchitecture,
    MaceArchitecture,
    PerceptronArchitecture,
)
from namd.molecule import Molecule
from namd.nn.model import DiabaticModel, ModelInformation
from namd.states import StateSpace

ARCHITECTURES = {
    "fusion": FusionArchitecture(channels=4, radial=4, hidden=8, cutoff_angstrom=3.0),
    "fusion-l3": FusionArchitecture(
        channels=3, l_max=3, message_l=2, radial=3, hidden=8, correlation=4, cutoff_angstrom=3.0
    ),
    "fusion-unlabelled": FusionArchitecture(
        channels=4, radial=4, hidden=8, cutoff_angstrom=3.0, site_labels="none"
    ),
    "fusion-signed": FusionArchitecture(
        channels=4, radial=4, hidden=8, cutoff_angstrom=3.0, site_labels="signs"
    ),
    "fusion-off": FusionArchitecture(
        channels=4,
        radial=4,
        hidden=8,
        cutoff_angstrom=3.0,
        correlation=1,
        message_correlation=1,
        message_layers=2,
    ),
    "perceptron": PerceptronArchitecture(hidden=16, layers=2),
    "mace": MaceArchitecture(channels=3, l_max=2, hidden_l=2, radial_hidden=(8,), hidden=4),
    "mofd-sparse": MaceArchitecture(
        channels=3, l_max=2, hidden_l=1, radial_hidden=(8,), hidden=4, fusion="sparse"
    ),
    "cormorant": CormorantArchitecture(channels=3, l_max=2, layers=3, hidden=8),
    "cofd": CormorantArchitecture(
        channels=3, l_max=2, layers=2, hidden=8, fusion="sparse", site_labels="none"
    ),
    "mofd-dense": MaceArchitecture(
        channels=2,
        l_max=2,
        hidden_l=2,
        radial_hidden=(8,),
        hidden=4,
        correlation=2,
        fusion="dense",
        site_labels="none",
    ),
}


def make_model(kind: str, *, states: int = 3, diabats: int = 4) -> DiabaticModel:
    information = ModelInformation(
        name="test",
        molecule=Molecule.from_numbers(np.array([6, 7, 1, 1, 1, 1])),
        states=StateSpace.singlets(states),
        level_of_theory="none",
        architecture=ARCHITECTURES[kind],
        diabats=diabats,
    )
    model = DiabaticModel(information, seed=1)
    model.network.double()
    model.scale.fill_(0.3)
    model.shift.copy_(torch.linspace(-1.0, -0.8, diabats))
    model.network.calibrate(geometries(16))
    return model


def geometries(number: int, *, seed: int = 0) -> torch.Tensor:
    """Distorted methaniminium-like geometries, Bohr."""
    base = np.array(
        [[0, 0, 0], [0, 0, 2.4], [1.7, 0, -1.1], [-1.7, 0, -1.1], [1.6, 0, 3.4], [-1.6, 0, 3.4]]
    )
    noise = np.random.default_rng(seed).normal(0, 0.15, (number, 6, 3))
    return torch.from_numpy(base + noise)


@pytest.fixture(params=list(ARCHITECTURES))
def model(request: pytest.FixtureRequest) -> DiabaticModel:
    return make_model(request.param)

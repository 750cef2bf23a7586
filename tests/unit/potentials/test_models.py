"""Values of the analytic models that can be checked by hand, and what they refuse."""

import numpy as np
import pytest
import torch

from namd.errors import ConfigError
from namd.molecule import Molecule
from namd.potentials.tully import tully
from namd.potentials.vibronic import linear_vibronic
from namd.states import StateSpace


def at(*x):
    positions = torch.zeros(len(x), 1, 3, dtype=torch.float64)
    positions[:, 0, 0] = torch.tensor(x)
    return positions


@pytest.mark.parametrize(
    ("model", "x", "energies"),
    [
        (1, 0.0, (-0.005, 0.005)),
        (1, -30.0, (-0.01, 0.01)),
        (1, 30.0, (-0.01, 0.01)),
        (2, 40.0, (0.0, 0.05)),
        (2, 0.0, (-0.025 - np.hypot(0.025, 0.015), -0.025 + np.hypot(0.025, 0.015))),
        (3, -50.0, (-6e-4, 6e-4)),
        (3, 0.0, (-np.hypot(6e-4, 0.1), np.hypot(6e-4, 0.1))),
        (3, 50.0, (-np.hypot(6e-4, 0.2), np.hypot(6e-4, 0.2))),
    ],
)
def test_tully_energies(model, x, energies):
    surfaces = tully(model).surfaces(at(x), torch.tensor([0]))
    torch.testing.assert_close(
        surfaces.energies[0], torch.tensor(energies, dtype=torch.float64), rtol=1e-12, atol=1e-15
    )


def test_y_and_z_are_inert():
    potential = tully(2)
    surfaces = potential.surfaces(at(0.7), torch.tensor([1]))
    assert surfaces.force[0, 0, 0] != 0
    assert (surfaces.force[0, 0, 1:] == 0).all()


def test_descriptions_tell_models_apart():
    digests = {tully(k).describe()["digest"] for k in (1, 2, 3)}
    assert len(digests) == 3


def test_no_fourth_tully_model():
    with pytest.raises(ConfigError, match="expected 1, 2 or 3"):
        tully(4)


def test_more_states_than_diabats_and_asymmetry_are_refused():
    molecule = Molecule(atomic_numbers=np.zeros(1, dtype=np.int64), masses=np.ones(1))
    zero = torch.zeros(2, 2, 1, 3, dtype=torch.float64)
    reference = torch.zeros(1, 3, dtype=torch.float64)
    energies = torch.eye(2, dtype=torch.float64)
    potential = linear_vibronic(
        molecule,
        StateSpace.singlets(3),
        reference=reference,
        stiffness=1.0,
        energies=energies,
        slopes=zero,
    )
    with pytest.raises(ConfigError, match="3 states asked for"):
        potential.surfaces(at(0.0), torch.tensor([0]))
    crooked = energies.clone()
    crooked[0, 1] = 0.1
    with pytest.raises(ConfigError, match="symmetric"):
        linear_vibronic(
            molecule,
            StateSpace.singlets(2),
            reference=reference,
            stiffness=1.0,
            energies=crooked,
            slopes=zero,
        )

"""Classes of model particles: transmitted or reflected, by where they are."""

import numpy as np
import pytest

from namd.analysis.yields import classify
from namd.config.classes import AnalysisConfig, check_atoms
from namd.config.loading import validate
from namd.errors import ConfigError

SIDES = {
    "coordinates": [{"kind": "position", "name": "x", "atom": 0, "axis": "x"}],
    "classes": [
        {"name": "transmitted", "bounds": [{"coordinate": "x", "at_least_angstrom": 0}]},
        {"name": "reflected", "bounds": [{"coordinate": "x", "below_angstrom": 0}]},
    ],
}


def test_a_particle_is_classified_by_the_side_it_is_on() -> None:
    config = validate(SIDES, AnalysisConfig, where="test")
    positions = np.zeros((4, 1, 3))
    positions[:, 0, 0] = [-9.0, -1e-9, 0.0, 9.0]
    positions[:, 0, 1] = 5.0
    assert classify(positions, config).tolist() == [1, 1, 0, 0]


def test_an_atom_that_does_not_exist_is_refused() -> None:
    config = validate(SIDES, AnalysisConfig, where="test")
    check_atoms(config, 1, where="test")
    beyond = [{"kind": "position", "name": "x", "atom": 1, "axis": "x"}]
    config = validate({**SIDES, "coordinates": beyond}, AnalysisConfig, where="test")
    with pytest.raises(ConfigError, match="from 0 to 0"):
        check_atoms(config, 1, where="test")

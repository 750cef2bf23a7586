"""The language of geometry classes: what it accepts, and how mistakes are told."""

from copy import deepcopy
from typing import Any

import pytest

from namd.config.classes import AnalysisConfig, check_atoms
from namd.config.loading import apply_overrides, resolved_config, validate
from namd.errors import ConfigError

GOOD: dict[str, Any] = {
    "coordinates": [
        {"kind": "dihedral", "name": "torsion", "atoms": [5, 6, 7, 8]},
        {"kind": "min_distance", "name": "ortho", "pairs": [[0, 9], [4, 13]]},
        {"kind": "position", "name": "x", "atom": 0, "axis": "x"},
    ],
    "classes": [
        {"name": "ring", "bounds": [{"coordinate": "ortho", "below_angstrom": 1.9}]},
        {"name": "left", "bounds": [{"coordinate": "x", "below_angstrom": -2}]},
        {
            "name": "twisted",
            "bounds": [
                {"coordinate": "torsion", "at_least_degrees": 60, "below_degrees": 120},
                {"coordinate": "ortho", "at_least_angstrom": 1.9},
            ],
        },
    ],
}


def test_what_is_accepted_survives_the_way_through_json() -> None:
    config = validate(GOOD, AnalysisConfig, where="here")
    assert validate(resolved_config(config), AnalysisConfig, where="here") == config
    assert [c.name for c in config.classes] == ["ring", "left", "twisted"]
    bounds = [bound.interval for bound in config.classes[2].bounds]
    assert bounds == [(60, 120), (1.9, float("inf"))]
    assert config.classes[1].bounds[0].interval == (float("-inf"), -2)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("coordinates.0.kind=dihedrl", 'did you mean "dihedral"'),
        ("coordinates.0.atoms=[5, 6, 7]", "coordinates.0.atoms"),
        ("coordinates.0.atoms=[5, 6, 7, -8]", "coordinates.0.atoms.3"),
        ("coordinates.0.name=ortho", "the coordinate 'ortho' is declared twice"),
        ("coordinates.0.unit=degrees", "unknown key"),
        ("coordinates.1.pairs=[]", "coordinates.1.pairs"),
        ("classes.1.name=ring", "the class 'ring' is declared twice"),
        ("classes.0.name=failed", "a class of its own"),
        ("classes.0.bounds=[]", "classes.0.bounds"),
        ("classes.0.bounds.0.coordinate=orto", "declared coordinates: torsion, ortho, x"),
        ("classes.0.bounds.0.below_degrees=90", "in degrees or in angstrom"),
        ("classes.0.bounds.0.at_least_angstrom=2", "the interval from 2 to below 1.9 is empty"),
        ("classes.0.bounds.0={coordinate: ortho}", "at least one"),
        ("classes.0.bounds.0.coordinate=torsion", "are in degrees"),
        ("classes=[]", "classes"),
    ],
)
def test_mistakes_are_told(override: str, said: str) -> None:
    data = apply_overrides(deepcopy(GOOD), [override])
    with pytest.raises(ConfigError) as caught:
        validate(data, AnalysisConfig, where="classes.yaml")
    assert said in str(caught.value)
    assert "classes.yaml" in str(caught.value)


def test_atoms_must_exist_and_differ() -> None:
    config = validate(GOOD, AnalysisConfig, where="here")
    check_atoms(config, 14, where="here")
    with pytest.raises(ConfigError, match=r"ortho = \[4, 13\].*0 to 12"):
        check_atoms(config, 13, where="here")
    twice = apply_overrides(deepcopy(GOOD), ["coordinates.1.pairs=[[3, 3]]"])
    with pytest.raises(ConfigError, match="distinct"):
        check_atoms(validate(twice, AnalysisConfig, where="here"), 14, where="here")

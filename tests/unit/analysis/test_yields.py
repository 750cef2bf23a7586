"""Yields: classification by declared geometry, and the accounting of every trajectory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from namd.analysis.intervals import wilson
from namd.analysis.yields import classify, coordinate_values, quantum_yields
from namd.config.classes import AnalysisConfig
from namd.config.loading import load_config
from namd.errors import ConfigError
from namd.io.ensemble import read_ensemble
from namd.units import ANGSTROM_PER_BOHR

CLASSES = AnalysisConfig.model_validate(
    {
        "coordinates": [
            {"kind": "dihedral", "name": "torsion", "atoms": [0, 1, 2, 3]},
            {"kind": "distance", "name": "ends", "atoms": [0, 3]},
        ],
        "classes": [
            {"name": "ring", "bounds": [{"coordinate": "ends", "below_angstrom": 0.3}]},
            {"name": "cis", "bounds": [{"coordinate": "torsion", "below_degrees": 60}]},
            {"name": "trans", "bounds": [{"coordinate": "torsion", "at_least_degrees": 120}]},
        ],
    }
)


def chain(degrees: float, ends: float = 1.0) -> np.ndarray:
    """Four atoms with a dihedral; ``ends`` is the distance of both end atoms from the axis."""
    phi = np.radians(degrees)
    last = [ends * np.cos(phi), ends * np.sin(phi), 1]
    return np.array([[ends, 0, 0], [0, 0, 0], [0, 0, 1], last]) / ANGSTROM_PER_BOHR


def test_the_first_class_that_fits_is_taken_and_mirror_images_are_alike() -> None:
    degrees = [10, -10, 90, -170, 180, 61, 121]
    found = classify(np.stack([chain(d) for d in degrees]), CLASSES)
    assert found.tolist() == [1, 1, -1, 2, 2, -1, 2]
    folded = np.stack([chain(10), chain(10)])
    folded[0, 3] = folded[0, 0] + 0.2 / ANGSTROM_PER_BOHR * np.array([0, 0, 1])
    assert classify(folded, CLASSES).tolist() == [0, 1]


def test_a_geometry_that_is_not_a_number_fits_nothing() -> None:
    assert classify(np.full((1, 4, 3), np.nan), CLASSES).tolist() == [-1]


def test_coordinates_come_in_degrees_and_angstrom() -> None:
    config = AnalysisConfig.model_validate(
        {
            "coordinates": [
                {"kind": "dihedral", "name": "d", "atoms": [0, 1, 2, 3]},
                {"kind": "angle", "name": "a", "atoms": [0, 1, 2]},
                {"kind": "distance", "name": "r", "atoms": [1, 2]},
                {"kind": "min_distance", "name": "m", "pairs": [[0, 2], [1, 2]]},
                {"kind": "position", "name": "z", "atom": 3, "axis": "z"},
                {
                    "kind": "pyramidalisation",
                    "name": "p",
                    "centres": [[1, 0, 2, 3], [2, 1, 0, 3]],
                },
            ],
            "classes": [{"name": "x", "bounds": [{"coordinate": "r", "below_angstrom": 2}]}],
        }
    )
    values = [coordinate_values(chain(-150), c) for c in config.coordinates]
    assert values == pytest.approx([150, 90, 1, 1, 1, 30])


def test_every_trajectory_is_counted_once(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    # cis, trans, trans, no class, excited, parked in S0, parked in S1, excited and still running
    degrees = [10, 170, 180, 90, 10, 10, 10, 10]
    active = [[1] * 8, [0, 0, 0, 0, 1, 0, 1, 1]]
    status = [[0] * 8, [1, 1, 1, 1, 1, 2, 2, 0]]
    positions = np.broadcast_to(np.stack([chain(d) for d in degrees]), (2, 8, 4, 3)).copy()
    positions[1, 6] = np.nan
    path = write_ensemble(
        tmp_path / "e.h5",
        active_state=active,
        status=status,
        positions=positions,
        reason=[0, 0, 0, 0, 0, 1, 2, 0],
    )
    result = quantum_yields(read_ensemble(path), CLASSES)
    counts = {name: entry.count for name, entry in result.classes.items()}
    assert counts == {"ring": 0, "cis": 1, "trans": 2, "undecided": 3, "failed": 2}
    assert list(counts) == ["ring", "cis", "trans", "undecided", "failed"]
    assert sum(entry.fraction or 0 for entry in result.classes.values()) == pytest.approx(1)
    assert (result.still_excited, result.unclassified, result.still_running) == (2, 1, 1)
    assert result.failures == {"energy jump": 1, "not a number": 1}
    assert result.decided == 3
    assert result.conditional["trans"].fraction == pytest.approx(2 / 3)
    low, high = wilson(np.array(2), np.array(8))
    assert result.classes["trans"].lower == pytest.approx(float(low))
    assert result.classes["trans"].upper == pytest.approx(float(high))
    assert result.time_fs == pytest.approx(10)


def test_without_a_decided_trajectory_there_is_no_conditional_yield(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    positions = np.broadcast_to(chain(10), (1, 2, 4, 3))
    path = write_ensemble(tmp_path / "e.h5", active_state=[[1, 1]], positions=positions)
    result = quantum_yields(read_ensemble(path), CLASSES)
    assert result.conditional["cis"].fraction is None
    assert result.classes["undecided"].fraction == 1


def test_atoms_that_do_not_exist_are_refused(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_ensemble(tmp_path / "e.h5", active_state=[[0]])
    with pytest.raises(ConfigError, match="coordinate torsion"):
        quantum_yields(read_ensemble(path), CLASSES)


def test_the_stilbene_classes_know_cis_trans_and_dhp() -> None:
    library = Path(__file__).parents[3] / "trajectories" / "classes-stilbene.yaml"
    config = load_config(library, AnalysisConfig)
    assert [c.name for c in config.classes] == ["DHP", "cis", "trans"]
    positions = np.random.default_rng(0).normal(scale=50.0, size=(3, 26, 3))
    for row, degrees in enumerate([20, 160, 20]):
        positions[row, 5:9] = chain(degrees)
    positions[2, 13] = positions[2, 4] + np.array([0, 0, 1.6 / ANGSTROM_PER_BOHR])
    assert classify(positions, config).tolist() == [1, 2, 0]

"""Where trajectories hop: the right hops, the right fates, the right coordinates."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from namd.analysis.hop_map import hop_map
from namd.analysis.hop_map_figure import hop_map_figure
from namd.config.classes import AnalysisConfig
from namd.errors import ConfigError
from namd.io.ensemble import read_ensemble
from namd.units import ANGSTROM_PER_BOHR

CLASSES = AnalysisConfig.model_validate(
    {
        "coordinates": [
            {"kind": "distance", "name": "bond", "atoms": [0, 1]},
            {"kind": "angle", "name": "bend", "atoms": [0, 1, 2]},
        ],
        "classes": [
            {"name": "bound", "bounds": [{"coordinate": "bond", "below_angstrom": 2}]},
            {"name": "free", "bounds": [{"coordinate": "bond", "at_least_angstrom": 2}]},
        ],
    }
)


def bent(bond: float, degrees: float) -> np.ndarray:
    """Three atoms, Bohr; the first bond in Å."""
    turn = np.radians(degrees)
    first = [bond / ANGSTROM_PER_BOHR, 0, 0]
    return np.array([first, [0, 0, 0], [2 * np.cos(turn), 2 * np.sin(turn), 0]])


@pytest.fixture
def path(write_ensemble: Callable[..., Path], tmp_path: Path) -> Path:
    """Four: one stays bound at once, one hops back and ends free, one comes back up, one never."""
    active = np.ones((5, 4), dtype=int)
    active[1:, 0] = active[3:, 1] = 0
    end = [bent(1.0, 90), bent(3.0, 90), bent(1.0, 90), bent(1.0, 90)]
    rows = [
        (0, 10.0, 1, 0, True, bent(1.1, 40)),
        (1, 11.0, 1, 0, True, bent(1.2, 50)),
        (2, 12.0, 1, 0, True, bent(1.3, 60)),
        (3, 12.5, 1, 0, False, bent(9.0, 10)),
        (1, 13.0, 0, 1, True, bent(9.0, 10)),
        (2, 14.0, 0, 1, True, bent(9.0, 10)),
        (1, 15.0, 1, 0, True, bent(1.4, 70)),
    ]
    return write_ensemble(
        tmp_path / "e.h5",
        active_state=active,
        positions=np.broadcast_to(np.stack(end), (5, 4, 3, 3)),
        hops=[row[:5] for row in rows],
        hop_positions=np.stack([row[5] for row in rows]),
    )


def test_downward_hops_with_their_fates(path: Path) -> None:
    found = hop_map(read_ensemble(path), CLASSES, names=("bend", "bond"))
    assert [axis.unit for axis in found.axes] == ["degrees", "Å"]
    assert found.trajectory.tolist() == [0, 1, 2, 1]
    assert found.values == pytest.approx(
        np.array([[40, 1.1], [50, 1.2], [60, 1.3], [70, 1.4]]), abs=1e-4
    )
    assert found.last.tolist() == [True, False, False, True]
    assert found.outcome.tolist() == ["bound", "free", "undecided", "free"]
    assert found.time_fs == pytest.approx([10, 11, 12, 15])


def test_every_kind_of_hop_is_in_the_figure(path: Path) -> None:
    found = hop_map(read_ensemble(path), CLASSES, names=("bend", "bond"))
    marks = {"cone": np.array([45.0, 1.0])}
    figure = hop_map_figure(found, classes=("bound", "free"), subject="test", marks=marks)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["hopped back later (2)", "bound (1)", "free (1)"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("bend / degrees", "bond / Å")
    assert [text.get_text() for text in axes.texts] == ["cone"]


def test_a_coordinate_that_is_not_declared_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match="no coordinate of this name") as caught:
        hop_map(read_ensemble(path), CLASSES, names=("bend", "twist"))
    assert "twist" in str(caught.value)
    assert "bond, bend" in str(caught.value)


def test_without_any_hop_there_is_an_empty_map(
    write_ensemble: Callable[..., Path], tmp_path: Path
) -> None:
    positions = np.broadcast_to(bent(1.0, 90), (2, 1, 3, 3))
    path = write_ensemble(tmp_path / "n.h5", active_state=[[1], [1]], positions=positions)
    found = hop_map(read_ensemble(path), CLASSES, names=("bend", "bond"))
    assert len(found) == 0
    hop_map_figure(found, classes=("bound", "free"), subject="test")

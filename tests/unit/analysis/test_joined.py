"""Runs counted as one: counts add, rows keep their own hops and positions; what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.analysis.hop_map import hop_map
from namd.analysis.joined import join
from namd.analysis.populations import populations
from namd.analysis.survival import survival_times
from namd.analysis.yields import outcomes
from namd.config.classes import AnalysisConfig
from namd.errors import DataError
from namd.io.ensemble import Ensemble, read_ensemble

BOHR = 0.529177
CLASSES = AnalysisConfig.model_validate(
    {
        "coordinates": [
            {"kind": "distance", "name": "bond", "atoms": [0, 1]},
            {"kind": "position", "name": "x", "atom": 1, "axis": "x"},
        ],
        "classes": [
            {"name": "bound", "bounds": [{"coordinate": "bond", "below_angstrom": 2}]},
            {"name": "free", "bounds": [{"coordinate": "bond", "at_least_angstrom": 2}]},
        ],
    }
)
Make = Callable[..., Ensemble]


@pytest.fixture
def make(write_ensemble: Callable[..., Path], tmp_path: Path) -> Make:
    def one(name: str, bonds: list[float], decays: dict[int, float], **others: Any) -> Ensemble:
        """Trajectories at the given bond lengths (Å); row k decays at ``decays[k]`` fs."""
        number = len(bonds)
        active = np.ones((41, number), dtype=int)
        for row, time in decays.items():
            active[int(np.ceil(time / 10)) :, row] = 0
        positions = np.zeros((41, number, 2, 3))
        positions[:, :, 1, 0] = np.array(bonds) / BOHR
        content = {
            "active_state": active,
            "status": np.where(np.arange(41)[:, None] == 40, 1, 0).repeat(number, axis=1),
            "positions": positions,
            "hops": [(row, time, 1, 0, True) for row, time in decays.items()],
            "hop_positions": positions[0, list(decays)],
            "final_step": [800] * number,
            "reason": [0] * number,
        }
        return read_ensemble(write_ensemble(tmp_path / f"{name}.h5", **(content | others)))

    return one


def test_rows_keep_their_own_and_counts_add(make: Make) -> None:
    first = make("a", [1.0, 5.0, 1.5], {0: 100.0, 1: 150.0})
    second = make("b", [3.0, 1.2], {1: 200.0, 0: 120.0})
    both = join([first, second])
    assert both.n_trajectories == 5
    assert both.trajectory_id.tolist() == [0, 1, 2, 3, 4]
    assert outcomes(both, CLASSES).tolist() == ["bound", "free", "undecided", "free", "bound"]
    times = survival_times(both)
    assert times.duration_fs[times.decayed] == pytest.approx([100, 150, 120, 200])
    parts = [populations(each) for each in (first, second)]
    shares = [each.active * each.trajectories[:, None] for each in parts]
    assert populations(both).active == pytest.approx((shares[0] + shares[1]) / 5)
    found = hop_map(both, CLASSES, names=("bond", "x"))
    assert dict(zip(found.trajectory.tolist(), found.values[:, 0].round(3), strict=True)) == {
        0: 1.0,
        1: 5.0,
        4: 1.2,
        3: 3.0,
    }
    assert both.positions(-1)[:, 1, 0] * BOHR == pytest.approx([1.0, 5.0, 1.5, 3.0, 1.2])


def test_one_is_given_back(make: Make) -> None:
    first = make("a", [1.0], {})
    assert join([first]) is first


def test_models_of_several_names_are_counted(make: Make) -> None:
    named = [
        make(name, [bond], {}, potential=json.dumps({"name": name, "digest": name}))
        for name, bond in (("one", 1.0), ("two", 1.1), ("three", 1.2))
    ]
    assert join(named).potential == {"name": "3 models"}
    same = [make(name, [bond], {}) for name, bond in (("d", 1.0), ("e", 1.1))]
    assert join(same).potential == same[0].potential


def test_diabats_of_other_models_are_not_pooled(make: Make) -> None:
    shares = np.full((41, 1, 2), 0.5)
    first, alike = (
        replace(make(name, [bond], {}), diabatic_populations=shares)
        for name, bond in (("a", 1.0), ("b", 1.1))
    )
    other = replace(make("c", [1.2], {}), diabatic_populations=shares, potential={"name": "c"})
    pooled = join([first, alike]).diabatic_populations
    assert pooled is not None
    assert pooled.shape == (41, 2, 2)
    assert join([first, other]).diabatic_populations is None


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"decoherence": "edc"}, "decoherence"),
        ({"config": {"dynamics": {"rescaling": "velocity"}}}, "rescaling"),
        ({"states": "S0 T1"}, "other states"),
        ({"frame_fs": 5.0}, "other times"),
    ],
)
def test_runs_of_another_kind_are_refused(make: Make, others: dict[str, Any], words: str) -> None:
    first, second = make("a", [1.0], {}), make("b", [1.1], {}, **others)
    with pytest.raises(DataError, match=words):
        join([first, second])


def test_runs_that_began_alike_are_refused(make: Make) -> None:
    first, second, third = (
        make(name, [bond], {}) for name, bond in zip("abc", (1, 2, 2), strict=True)
    )
    with pytest.raises(DataError, match="count twice"):
        join([first, second, third])

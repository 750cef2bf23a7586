"""Which frames are chosen, why, and how varied they are."""

from typing import Any

import numpy as np
import pytest

from namd.active.measures import Measures
from namd.active.selection import choose
from namd.config.active_learning import SelectionConfig
from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

FAR = 50.0
"""A gap in Hartree at which nothing is degenerate."""


def measures(features: Any, *, gap: Any = FAR, committee: bool = True, **values: Any) -> Measures:
    features = np.asarray(features, dtype=float)
    rows = len(features)

    def column(value: Any) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, dtype=float), rows).copy()

    names = ("energy", "gap", "force") if committee else ()
    return Measures(
        gap=column(gap),
        deviations={name: column(values.get(name, 0.0)) for name in names},
        features=features,
    )


def grid(count: int, *, width: float = 1.0, seed: int = 0) -> np.ndarray:
    return width * np.random.default_rng(seed).normal(size=(count, 3))


def config(**changes: Any) -> SelectionConfig:
    return SelectionConfig.model_validate({"budget": 50, "closest": 0.0, **changes})


KNOWN = measures(grid(200), energy=np.linspace(0, 1, 200), gap=FAR, force=np.linspace(0, 1, 200))
NEVER = {"energy_ev": 1e6, "gap_ev": 1e6, "force_ev_per_angstrom": 1e6, "quantile": 1.0}


def test_every_reason_is_told_and_limits_are_quantiles_of_what_is_known() -> None:
    inside = grid(6, width=0.1, seed=1)
    inside[5] = 30.0
    chosen = choose(
        measures(
            inside,
            gap=[FAR, 0.1 / EV_PER_HARTREE, FAR, FAR, FAR, FAR],
            energy=[0.0, 0.0, 0.96, 0.94, 0.0, 0.0],
            force=[0.0, 0.0, 0.96, 0.0, 0.0, 0.0],
        ),
        np.array([True, False, False, False, False, False]),
        config=config(gap_ev=1.0),
        known=KNOWN,
    )
    assert chosen.limits["energy"] == pytest.approx(0.95)
    assert chosen.limits["gap"] == pytest.approx(1.0 / EV_PER_HARTREE)
    told = dict(zip(chosen.rows.tolist(), chosen.reasons, strict=True))
    assert told == {
        0: ("parked",),
        1: ("degenerate",),
        2: ("energy", "force"),
        5: ("novel",),
    }
    assert chosen.counts["energy"] == 1
    assert chosen.eligible == 4
    assert chosen.novelty[5] > 10 * chosen.novelty[0]


def test_given_limits_are_in_ev_and_angstrom() -> None:
    force = np.array([0.29, 0.31]) / EV_PER_ANGSTROM_PER_ATOMIC_FORCE
    chosen = choose(
        measures(grid(2, width=0.1, seed=2), force=force),
        np.zeros(2, dtype=bool),
        config=config(**{**NEVER, "force_ev_per_angstrom": 0.3}),
        known=KNOWN,
    )
    assert chosen.rows.tolist() == [1]
    assert chosen.reasons == (("force",),)


def test_a_single_model_chooses_by_gap_and_novelty() -> None:
    chosen = choose(
        measures([[0.0, 0, 0], [0, 0, 0.01], [20, 0, 0]], gap=[FAR, 0.01, FAR], committee=False),
        np.zeros(3, dtype=bool),
        config=config(),
        known=measures(grid(100), committee=False),
    )
    assert dict(zip(chosen.rows.tolist(), chosen.reasons, strict=True)) == {
        1: ("degenerate",),
        2: ("novel",),
    }


def test_reasons_take_turns_with_their_strongest_candidates() -> None:
    energy = np.linspace(1.0, 5.0, 60)
    parked = np.zeros(60, dtype=bool)
    parked[[3, 4]] = True
    never = {name: value for name, value in NEVER.items() if name != "energy_ev"}
    chosen = choose(
        measures(grid(60, width=0.1, seed=3), energy=energy),
        parked,
        config=config(budget=6, pool=2, **never),
        known=KNOWN,
    )
    rows = chosen.rows.tolist()
    assert {rows[0], rows[2]} == {3, 4}  # parked first, then by turns, then what is left
    assert set(rows[1:2] + rows[3:]) <= set(range(48, 60))
    assert chosen.reasons[0] == ("parked", "energy")
    assert np.isinf(chosen.score[[0, 2]]).all()
    assert np.isfinite(chosen.score[[1, 3]]).all()


def test_novelty_is_measured_by_distances_between_groups() -> None:
    walks = np.repeat(4.0 * np.arange(6)[:, None], 5, axis=0)
    walks = np.column_stack([walks + 0.05 * np.tile(np.arange(5), 6)[:, None], np.zeros(30)])
    known, new = measures(walks, committee=False), measures([[2.0, 0.0]], committee=False)
    nobody = np.zeros(1, dtype=bool)
    assert choose(new, nobody, config=config(), known=known).rows.tolist() == [0]
    groups = np.repeat(np.array([f"walk-{k}" for k in range(6)]), 5)
    assert choose(new, nobody, config=config(), known=known, groups=groups).eligible == 0
    one = np.full(30, "all of them")
    assert choose(new, nobody, config=config(), known=known, groups=one).eligible == 1


def test_a_batch_holds_no_near_copies_of_itself_or_of_labelled_frames() -> None:
    base = grid(10, width=3.0, seed=4)
    copies = np.concatenate([base, base + 1e-4, KNOWN.features[:5] + 1e-4])
    parked = np.ones(len(copies), dtype=bool)
    chosen = choose(measures(copies), parked, config=config(closest=0.05), known=KNOWN)
    assert len(chosen.rows) == 10
    assert sorted(k % 10 for k in chosen.rows.tolist()) == list(range(10))
    assert max(chosen.rows.tolist()) < 20


def test_a_batch_is_filled_only_where_asked() -> None:
    found = measures(grid(30, width=0.5, seed=5))
    nobody = np.zeros(30, dtype=bool)
    nobody[7] = True
    few = choose(found, nobody, config=config(budget=5, **NEVER), known=KNOWN)
    assert few.rows.tolist() == [7]
    filled = choose(found, nobody, config=config(budget=5, fill=True, **NEVER), known=KNOWN)
    assert filled.rows[0] == 7
    assert len(set(filled.rows.tolist())) == 5
    assert set(filled.reasons[1:]) == {("farthest",)}


def test_the_control_draws_from_all_candidates() -> None:
    candidates, parked = measures(grid(40, seed=2)), np.arange(40) < 4
    batches = [
        choose(candidates, parked, config=config(budget=10, random=seed), known=KNOWN).rows
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(batches[0], batches[1])
    assert set(batches[0]) != set(batches[2])
    drawn = choose(candidates, parked, config=config(budget=99, random=0), known=KNOWN)
    assert sorted(drawn.rows.tolist()) == list(range(40))
    assert set(drawn.reasons) == {("random",)}


def test_without_labelled_frames_the_candidates_are_the_measure() -> None:
    energy = np.linspace(0, 1, 101)
    chosen = choose(
        measures(grid(101), energy=energy),
        np.zeros(101, dtype=bool),
        config=config(gap_ev=1e6, force_ev_per_angstrom=1e6),
    )
    assert sorted(chosen.rows.tolist()) == list(range(95, 101))
    assert np.isinf(chosen.novelty).all()
    assert "novel" not in chosen.counts


def test_the_batch_does_not_depend_on_the_scale_of_a_feature() -> None:
    scale = np.array([1.0, 1e3, 1e-3])
    parked = np.ones(40, dtype=bool)
    found = grid(40, width=2.0, seed=6)
    here = choose(measures(found), parked, config=config(budget=8), known=measures(grid(50)))
    there = choose(
        measures(found * scale), parked, config=config(budget=8), known=measures(grid(50) * scale)
    )
    assert here.rows.tolist() == there.rows.tolist()

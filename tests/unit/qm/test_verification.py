"""Finite differences find wrong derivatives, and nothing but those."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from namd.config.labelling import VerificationConfig
from namd.data.frames import Frames
from namd.molecule import Molecule
from namd.qm.label_folder import LabelledFrame
from namd.qm.verification import (
    Comparison,
    as_json,
    compare,
    coupling_statement,
    displaced_frames,
    draw_probes,
    overall,
)
from namd.states import StateSpace

sys.path.insert(0, str(Path("tests/data")))
try:
    import two_state
finally:
    sys.path.pop(0)

CONFIG = VerificationConfig(directions=3, step_angstrom=0.005)


def answer(positions: np.ndarray, *, matrix: bool, seed: int | None = None) -> LabelledFrame:
    """Label of the two-state model, with random signs of states and diabats."""
    made = two_state.label([], positions)
    signs = np.ones(2) if seed is None else np.random.default_rng(seed).choice([-1.0, 1.0], 2)
    arrays = {
        "energies": made["energies"],
        "forces": -made["gradients"],
        "interstate_coupling": signs.prod() * made["coupling"][None],
    }
    if matrix:
        arrays["diabatic_hamiltonian"] = made["matrix"] * np.outer(signs, signs)
    return LabelledFrame(arrays=arrays, seconds=0.0, notes={})


def frames(*bonds: tuple[float, float]) -> Frames:
    positions = np.zeros((len(bonds), 2, 3))
    positions[:, 1, 1:] = bonds
    return Frames(
        molecule=Molecule.from_numbers(np.array([1, 1])),
        positions=positions,
        group=np.full(len(bonds), "a"),
        source=np.full(len(bonds), "scan"),
    )


def verified(
    given: Frames, *, matrix: bool, wrong: dict[str, Any] | None = None
) -> list[Comparison]:
    probes = draw_probes(range(len(given)), count=len(given), atoms=2, config=CONFIG)
    labels = {k: answer(place, matrix=matrix, seed=k) for k, place in enumerate(given.positions)}
    for name, factor in (wrong or {}).items():
        for label in labels.values():
            label.arrays[name][...] *= factor  # type: ignore[index]
    moved = displaced_frames(given, probes, CONFIG).positions
    points = [answer(place, matrix=matrix, seed=99 + k) for k, place in enumerate(moved)]
    return compare(probes, labels, points, states=StateSpace.singlets(2), config=CONFIG)


# One on the line where W01 changes its sign, one 40 meV from the intersection.
BONDS = ((0.5, 1.3), (0.0, 1.4), (0.03, 1.66))


def test_right_labels_agree_at_crossings_and_with_any_signs() -> None:
    found = verified(frames(*BONDS), matrix=True)
    assert len(found) == 3 * 3 * 3
    assert {row.quantity for row in found} == {"F S0", "F S1", "h S0-S1"}
    assert overall(found) == "agrees"
    assert max(row.deviation for row in found) < 1e-9


def test_without_a_matrix_energies_tell_forces_alone() -> None:
    found = verified(frames((0.5, 1.3), (0.4, 1.9)), matrix=False)
    assert {row.quantity for row in found} == {"F S0", "F S1"}
    assert overall(found) == "agrees"
    assert max(row.deviation for row in found) < 1e-7
    label = answer(frames((0.5, 1.3)).positions[0], matrix=False)
    assert "couplings are not compared" in coupling_statement({0: label})


@pytest.mark.parametrize(
    ("name", "quantity"), [("forces", "F S1"), ("interstate_coupling", "h S0-S1")]
)
def test_a_derivative_that_is_a_tenth_too_large_is_found(name: str, quantity: str) -> None:
    found = verified(frames((0.5, 1.3)), matrix=True, wrong={name: 1.1})
    assert overall(found) == "disagrees"
    assert quantity in {row.quantity for row in found if row.verdict == "disagrees"}


def test_a_jump_between_solutions_decides_nothing() -> None:
    given = frames((0.5, 1.3))
    probes = draw_probes([0], count=1, atoms=2, config=CONFIG)
    labels = {0: answer(given.positions[0], matrix=False)}
    moved = displaced_frames(given, probes, CONFIG).positions
    points = [answer(place, matrix=False) for place in moved]
    points[3].arrays["energies"][...] += 0.01  # type: ignore[index]
    found = compare(probes, labels, points, states=StateSpace.singlets(2), config=CONFIG)
    first = [row for row in found if row.uncertainty > 1e-3]
    assert first
    assert {row.verdict for row in first} == {"undecided"}


def test_a_probe_with_a_failed_point_is_left_out() -> None:
    given = frames((0.5, 1.3))
    probes = draw_probes([0], count=1, atoms=2, config=CONFIG)
    labels = {0: answer(given.positions[0], matrix=False)}
    moved = displaced_frames(given, probes, CONFIG).positions
    points = [answer(place, matrix=False) for place in moved]
    points[0] = LabelledFrame(arrays={}, seconds=0.0, notes={}, reason="no")
    found = compare(probes, labels, points, states=StateSpace.singlets(2), config=CONFIG)
    assert len(found) == 2 * 2
    assert overall([]) == "undecided"


def test_frames_are_drawn_by_the_seed_and_told_in_their_order() -> None:
    labelled = list(range(3, 40))
    one, two = (draw_probes(labelled, count=5, atoms=2, config=CONFIG) for _ in range(2))
    assert [p.frame for p in one] == [p.frame for p in two]
    assert sorted({p.frame for p in one}) == list(dict.fromkeys(p.frame for p in one))
    assert len({p.frame for p in one}) == 5
    assert all(abs(np.linalg.norm(p.direction) - 1) < 1e-12 for p in one)
    other = draw_probes(labelled, count=5, atoms=2, config=VerificationConfig(seed=1))
    assert [p.frame for p in other] != [p.frame for p in one]
    everything = draw_probes([1, 2], count=5, atoms=2, config=CONFIG)
    assert {p.frame for p in everything} == {1, 2}


def test_the_story_is_in_electronvolts_per_angstrom() -> None:
    row = Comparison(
        frame=3, quantity="F S0", label=0.1, difference=0.1, uncertainty=0.0, verdict="agrees"
    )
    told = as_json([row], "statement", CONFIG)
    assert told["verdict"] == "agrees"
    assert told["comparisons"][0]["label_ev_per_angstrom"] == pytest.approx(5.1422067)

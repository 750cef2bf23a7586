"""Real SHARC 2 steps replayed: a quiet stretch, a hop down and a hop up (tests/data/README.md)."""

from dataclasses import replace
from pathlib import Path

import pytest

from namd.dynamics.electronic.nac_vectors import NacVectors
from namd.errors import DataError
from namd.io.sharc_input import SharcMethods
from namd.validation import sharc_replay
from namd.validation.sharc_replay import QUANTITIES, replay_sharc

DATA = Path(__file__).parents[2] / "data"
SAMPLES = {"output": 0, "hop-down": 1, "hop-up": 1}
LIMITS = {
    "positions": 1e-11,
    "velocities": 1e-13,
    "amplitudes": 1e-12,
    "hop_probabilities": 1e-12,
    "rescaled_velocities": 1e-13,
}


def sample(name):
    return DATA / f"sharc2-ch2nh2-{name}.dat"


@pytest.fixture(name="altered")
def make_altered(tmp_path):
    """A copy of a sample with a change of its text."""

    def alter(name, old, new, count=1):
        text = sample(name).read_text()
        assert old in text
        path = tmp_path / "output.dat"
        path.write_text(text.replace(old, new, count))
        return path

    return alter


def over(outcome):
    """Quantities beyond their limits."""
    return {name for name in QUANTITIES if outcome.deviations[name].max() > LIMITS[name]}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_step_is_reproduced(name):
    outcome = replay_sharc(sample(name), SharcMethods())
    assert over(outcome) == set()
    assert outcome.hops == SAMPLES[name]
    assert outcome.other_decisions == 0
    assert (outcome.atoms, outcome.states) == (6, 3)
    assert all(rows.shape == outcome.steps.shape for rows in outcome.deviations.values())


def test_steps_have_the_numbers_of_the_file():
    assert replay_sharc(sample("hop-up"), SharcMethods()).steps.tolist() == [89, 90, 91, 92]


def test_rescaled_velocities_are_those_of_the_hop_alone():
    outcome = replay_sharc(sample("hop-up"), SharcMethods())
    assert (outcome.deviations["rescaled_velocities"] > 0).tolist() == [False, False, True, False]


def test_no_decoherence_is_seen_in_the_amplitudes_alone():
    outcome = replay_sharc(sample("hop-down"), SharcMethods(decoherence="none"))
    assert over(outcome) == {"amplitudes"}


def test_the_population_convention_is_another(monkeypatch):
    """The conventions matter: with ours instead of those of SHARC 2 the replay says so."""
    made = sharc_replay._options

    def population(trajectory, methods):
        options = made(trajectory, methods)
        return replace(options, decoherence=replace(options.decoherence, convention="population"))

    monkeypatch.setattr(sharc_replay, "_options", population)
    assert over(replay_sharc(sample("hop-down"), SharcMethods())) == {"amplitudes"}


def test_velocities_after_a_hop_make_another_coupling(monkeypatch):
    made = sharc_replay._options

    def after_hop(trajectory, methods):
        return replace(made(trajectory, methods), electronic=NacVectors(substeps=25))

    monkeypatch.setattr(sharc_replay, "_options", after_hop)
    outcome = replay_sharc(sample("hop-down"), SharcMethods())
    assert over(outcome) == {"amplitudes", "hop_probabilities"}
    wrong = outcome.deviations["hop_probabilities"] > LIMITS["hop_probabilities"]
    assert outcome.steps[wrong].tolist() == [53]  # the step after the hop, no other


def test_rescaling_along_the_velocity_is_another():
    outcome = replay_sharc(sample("hop-up"), SharcMethods(rescaling="parallel_vel"))
    assert "rescaled_velocities" in over(outcome)
    assert "hop_probabilities" not in over(outcome)


def test_a_file_that_was_tampered_with_shows(altered):
    text = sample("output").read_text()
    place = text.index("! 12 Velocities", text.index("! 12 Velocities") + 1)
    line = text[place:].splitlines()[1]
    changed = line.replace(line.split()[0], "0.1000000000000E-002", 1)
    outcome = replay_sharc(altered("output", line, changed), SharcMethods())
    assert {"positions", "velocities"} <= over(outcome)
    assert (outcome.deviations["positions"] > 1e-11).tolist() == [False, True, False, False, False]


def test_another_random_number_makes_another_decision(altered):
    """A number above the probability: we stay where the file hopped."""
    blocks = sample("hop-up").read_text().split("! 9 Random number")
    number = blocks[4].splitlines()[1]
    outcome = replay_sharc(altered("hop-up", number, " 0.9999999999999E+000"), SharcMethods())
    assert outcome.other_decisions == 1


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"coupling": "overlap"}, "coupling overlap: cannot be replayed; expected one of: ddr"),
        ({"rescaling": "none"}, "ekincorrect none"),
        ({"frustrated": "parallel_nac"}, "reflect_frustrated parallel_nac"),
        ({"decoherence": "afssh"}, "decoherence_scheme afssh"),
        ({"hopping": "gfsh"}, "hopping_procedure gfsh"),
        ({"other": ("damping",)}, "damping: trajectories made with this keyword"),
    ],
)
def test_what_cannot_be_replayed_is_named(methods, message):
    with pytest.raises(DataError, match=message):
        replay_sharc(sample("output"), SharcMethods(**methods))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" laser           0", " laser           1", "laser field"),
        ("! 0 Step\n           2", "! 0 Step\n           3", "does not hold every step"),
        ("! 16 NACdr", "! 17 NACdr", "holds no coupling vectors"),
        ("! 15 Gradients", "! 14 Gradients", "holds no gradients"),
    ],
)
def test_files_that_cannot_be_replayed_say_why(altered, old, new, message):
    count = -1 if old.startswith("! 1") else 1
    with pytest.raises(DataError, match=message):
        replay_sharc(altered("output", old, new, count), SharcMethods())


def test_an_adaptive_step_is_not_replayed(tmp_path):
    text = sample("output").read_text()
    for step in range(6):
        old = f"! 0 Step\n{step:12d}\n"
        assert old in text
        text = text.replace(old, f"! 0 Step\n{step:12d}{0.3 * step:12.6f}{0.3:12.6f}\n")
    (tmp_path / "output.dat").write_text(text)
    with pytest.raises(DataError, match="the time step adapts"):
        replay_sharc(tmp_path / "output.dat", SharcMethods())


def test_mixed_and_reordered_states_are_refused(altered):
    text = sample("output").read_text()
    start = text.index("! 2 U matrix")
    old = text[start : text.index("! 3 Dipole", start)]
    for rows, message in (
        (((0, 0, 1), (0, 1, 0), (1, 0, 0)), "change places at step 1"),
        (((0.6, 0.8, 0), (-0.8, 0.6, 0), (0, 0, 1)), "spin-orbit"),
    ):
        lines = "\n".join(" ".join(f"{x} 0.0" for x in row) for row in rows)
        path = altered("output", old, f"! 2 U matrix\n{lines}\n")
        with pytest.raises(DataError, match=message):
            replay_sharc(path, SharcMethods())


def test_one_step_is_too_few(tmp_path):
    text = sample("output").read_text()
    (tmp_path / "output.dat").write_text(text[: text.index("! 0 Step", text.index("! 0 Step") + 1)])
    with pytest.raises(DataError, match="at least two steps"):
        replay_sharc(tmp_path / "output.dat", SharcMethods())

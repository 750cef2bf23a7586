"""What is timed, and what is said where something cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from namd.benchmark.clock import Plan
from namd.benchmark.job import find_run, make_job, march
from namd.benchmark.subject import Subject, find_subject
from namd.benchmark.throughput import measure, potential_calls, step_calls
from namd.benchmark.training import training_speed
from namd.errors import ConfigError
from namd.molecule import Molecule

SHORT = Plan(repeats=2, seconds=0.001)


@pytest.fixture
def subject(plan_file: Path) -> Subject:
    return find_subject(str(plan_file))


def test_steps_potential_and_training_of_a_configuration(subject: Subject) -> None:
    found = measure(subject, batches=[3, 1], plan=SHORT)
    assert found.run == "stilbene-cis"
    assert found.why_no_steps is None
    assert [row.batch for row in found.dynamics] == [1, 3]
    for row in found.dynamics:
        assert row.left_out is None
        for spread in (row.steps_per_second, row.step_milliseconds, row.potential_per_second):
            assert spread is not None
            assert 0 < spread.lowest <= spread.median <= spread.highest
        assert row.steps_per_second.highest == pytest.approx(
            1000 * row.batch / row.step_milliseconds.lowest
        )
    assert found.training is not None
    assert (found.training.states, found.training.batch_size) == (2, 2)
    assert found.training.frames_per_second.lowest > 0


def test_the_step_is_that_of_the_run_on_the_potential_given(subject: Subject) -> None:
    job = make_job("stilbene-cis", trajectories=2, potential=subject.potential)
    start = job.begin(trajectories=2)
    there = march(start, job.potential, job.options.step, steps=2)
    assert there.step.tolist() == [2, 2]
    active = start.active_state
    ours = subject.potential.surfaces(there.positions, active).energies
    torch.testing.assert_close(there.energies, ours)
    own = make_job("stilbene-cis", trajectories=2).begin(trajectories=2)
    assert torch.equal(own.positions, start.positions)
    assert not torch.allclose(own.energies, start.energies)


def test_calls_are_as_many_as_told(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    surfaces = type(subject.potential).surfaces

    def counted(self: object, positions: torch.Tensor, *rest: object, **options: object) -> object:
        asked.append(len(positions))
        return surfaces(self, positions, *rest, **options)

    monkeypatch.setattr(type(subject.potential), "surfaces", counted)
    potential_calls(subject, batch=2, device="cpu")(3)
    assert asked == [2] * 3
    call = step_calls(
        make_job("stilbene-cis", trajectories=3, potential=subject.potential), batch=3
    )
    asked.clear()
    call(4)
    call(1)
    assert asked == [3] * 5


def test_a_batch_that_would_take_too_long_is_left_out(subject: Subject) -> None:
    found = measure(subject, batches=[1, 32], plan=replace(SHORT, longest=0.0), training=False)
    small, large = found.dynamics
    assert small.steps_per_second is not None
    assert large.steps_per_second is None
    assert large.left_out is not None
    assert "expected to take" in large.left_out
    assert (found.training, found.why_no_training) == (None, "not asked for")


def test_one_state_has_no_run_that_starts_in_s1(plan_file: Path) -> None:
    alone = find_subject(str(plan_file), overrides=["data.states=1"])
    found = measure(alone, batches=[1], plan=SHORT, training=False)
    assert found.run is None
    assert "no run that starts C14H12 in one of the states S0" in str(found.why_no_steps)
    (row,) = found.dynamics
    assert row.steps_per_second is None
    assert row.potential_per_second is not None


def test_a_head_without_basis_has_its_potential_timed_alone(plan_file: Path) -> None:
    direct = find_subject(str(plan_file), overrides=["head={kind: direct}"])
    found = measure(direct, batches=[1], plan=SHORT, training=False)
    assert found.run is None
    assert str(found.why_no_steps).startswith("run stilbene-cis: ")
    assert found.dynamics[0].potential_per_second is not None


def test_runs_are_found_by_molecule_numbering_and_states(subject: Subject) -> None:
    molecule = subject.potential.molecule
    assert find_run(molecule, states=2) == "stilbene-cis"
    assert find_run(molecule, states=1) is None
    turned = np.roll(molecule.atomic_numbers, 1)
    assert find_run(Molecule.from_numbers(turned), states=2) is None


def test_training_fills_its_stretch_but_not_more_than_it_may(subject: Subject) -> None:
    assert subject.training is not None
    plan = Plan(repeats=2, seconds=float("inf"))
    speed = training_speed(subject.training, plan, base=subject.base, most_frames=4)
    assert speed.frames == 4
    least = training_speed(subject.training, SHORT, base=subject.base)
    assert least.frames == 2  # a batch
    assert least.derivatives == "full"


def test_a_trained_model_is_as_it_is() -> None:
    found = find_subject("stilbene-ssr")
    assert found.trained
    assert found.potential.describe()["digest"]
    assert found.training is not None
    assert found.training.loss.target == "diabatic"
    with pytest.raises(ConfigError, match="is a trained model"):
        find_subject("stilbene-ssr", overrides=["network.channels=8"])

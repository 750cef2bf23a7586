"""When active learning ends."""

from typing import Any

import pytest

from namd.active.report import Report
from namd.active.stopping import budget_left, reason_to_stop
from namd.config.active_learning import StopConfig


def report(number: int = 0, **changes: Any) -> Report:
    told: dict[str, Any] = {
        "round": number,
        "model": "model",
        "labels": 100 + 50 * number,
        "test_frames": 20,
        "energy_mae_mev": 10.0,
        "gap_mae_mev": 10.0,
        "force_mae_mev_per_angstrom": 100.0,
        "coupling_r2": 0.9,
        "trajectories": 50,
        "parked": 5,
        "parked_fraction": 0.1,
        "parking_reasons": {},
        "violated_fraction": 0.04,
        "drift_ev_per_ps": 0.01,
    }
    return Report(**(told | changes))


def stop(*reports: Report, **changes: Any) -> str | None:
    return reason_to_stop(reports, StopConfig.model_validate(changes))


def test_all_targets_that_are_given_must_be_met() -> None:
    assert stop(report()) is None
    told = stop(report(parked_fraction=0.02))
    assert told == "all targets are met: parked trajectories 2.0%"
    assert stop(report(parked_fraction=0.0), force_mev_per_angstrom=50.0) is None
    assert stop(report(parked_fraction=0.0), violated_fraction=0.03) is None
    both = stop(report(parked_fraction=0.0), violated_fraction=0.04, force_mev_per_angstrom=100.0)
    assert both == (
        "all targets are met: parked trajectories 0.0%, violated trajectories 4.0%, "
        "force error 100.0 meV/Å"
    )
    assert stop(report(), parked_fraction=None) is None  # no target, no limit reached


def test_without_a_test_no_force_error_meets_a_target() -> None:
    blind = report(force_mae_mev_per_angstrom=None)
    assert stop(blind, parked_fraction=None, force_mev_per_angstrom=1000.0) is None


def test_limits_end_it_whatever_the_targets() -> None:
    assert stop(report(3), rounds=3) == "3 rounds were labelled"
    assert stop(report(2), rounds=3) is None
    assert stop(report(labels=200), labels=200) == "there are 200 labels, the limit is 200"


def test_no_improvement_ends_it_after_the_rounds_of_patience() -> None:
    def errors(*values: float) -> list[Report]:
        return [
            report(k, force_mae_mev_per_angstrom=float(value)) for k, value in enumerate(values)
        ]

    rule = {"improvement": 0.05, "patience": 2}
    assert stop(*errors(100, 99), **rule) is None
    assert stop(*errors(100, 99, 94), **rule) is None
    assert stop(*errors(100, 99, 98), **rule) == (
        "the force error of the test has not fallen by 5.0% in 2 rounds"
    )
    assert stop(*errors(100, 80, 79, 78), **rule) is not None
    assert stop(*errors(100, 99, 98)) is None  # nobody asked


@pytest.mark.parametrize(("labels", "left"), [(100, 30), (190, 10)])
def test_no_round_labels_more_than_the_limit_leaves(labels: int, left: int) -> None:
    rule = StopConfig(labels=200)
    assert budget_left(report(labels=labels), rule, budget=30) == left
    assert budget_left(report(labels=labels), StopConfig(), budget=30) == 30

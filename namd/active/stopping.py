"""The rule by which active learning ends."""

from collections.abc import Sequence

from namd.active.report import Report
from namd.config.active_learning import StopConfig


def reason_to_stop(reports: Sequence[Report], config: StopConfig) -> str | None:
    """Why the last round should label nothing more, in words; None where it should.

    Targets come first (all of those that are given must be met), then the limits.

    Parameters
    ----------
    reports
        Of all rounds so far, in their order; at least one.
    config
        Targets and limits.
    """
    now = reports[-1]
    targets = [
        ("parked trajectories", now.parked_fraction, config.parked_fraction, "{:.1%}"),
        ("violated trajectories", now.violated_fraction, config.violated_fraction, "{:.1%}"),
        (
            "force error",
            now.force_mae_mev_per_angstrom,
            config.force_mev_per_angstrom,
            "{:.1f} meV/Å",
        ),
    ]
    asked = [
        (name, value, limit, form) for name, value, limit, form in targets if limit is not None
    ]
    if asked and all(value is not None and value <= limit for _, value, limit, _ in asked):
        met = ", ".join(f"{name} {form.format(value)}" for name, value, _, form in asked)
        return f"all targets are met: {met}"
    if now.round >= config.rounds:
        return f"{config.rounds} round{'s were' if config.rounds > 1 else ' was'} labelled"
    if config.labels is not None and now.labels >= config.labels:
        return f"there are {now.labels} labels, the limit is {config.labels}"
    return _stuck(reports, config)


def _stuck(reports: Sequence[Report], config: StopConfig) -> str | None:
    """Whether the force error has stopped to fall."""
    errors = [report.force_mae_mev_per_angstrom for report in reports]
    known = [error for error in errors if error is not None]
    if config.improvement is None or len(known) != len(errors) or len(known) <= config.patience:
        return None
    best = min(known[: -config.patience])
    if min(known[-config.patience :]) > (1.0 - config.improvement) * best:
        return (
            f"the force error of the test has not fallen by {config.improvement:.1%} in "
            f"{config.patience} rounds"
        )
    return None


def budget_left(report: Report, config: StopConfig, *, budget: int) -> int:
    """How many frames a round may label: the budget, or less where labels are limited."""
    return budget if config.labels is None else min(budget, config.labels - report.labels)

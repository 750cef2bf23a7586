"""Sentences that the tables of ``namd analyze`` share."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from namd.analysis.populations import Populations
    from namd.analysis.survival import Estimate, SurvivalTimes
    from namd.io.ensemble import Ensemble


def endings_line(ensemble: "Ensemble") -> str:
    """Say how the trajectories ended, with the reasons of the parked ones."""
    from namd.analysis.subject import endings
    from namd.io.ensemble import parking_reasons

    words = {"finished": "finished", "active": "not ended yet", "parked": "parked"}
    counts = endings(ensemble)
    line = ", ".join(f"{n} {words[k]}" for k, n in counts.items() if n or k != "active")
    reasons = ", ".join(f"{name} {count}" for name, count in parking_reasons(ensemble).items())
    return f"Trajectories: {line}{f' ({reasons})' if reasons else ''}"


def decoherence_line(ensemble: "Ensemble") -> str:
    """Say which decoherence correction the run had, with its constant and convention."""
    return f"Decoherence: {ensemble.decoherence}"


def remedy_lines(ensemble: "Ensemble") -> list[str]:
    """Say for every reason trajectories were parked for what can be done."""
    from namd.io.ensemble import REASONS, parking_reasons

    known = {reason.name: reason for reason in REASONS.values()}
    return [
        f"  {name} ({count}): {known[name].sentence} Remedy: {known[name].remedy}."
        for name, count in parking_reasons(ensemble).items()
        if name in known
    ]


def lifetime_lines(times: "SurvivalTimes", lifetime: "Estimate | None") -> list[str]:
    """Say the median survival time, or why there is none and what is known instead."""
    from namd.analysis.survival import time_per_decay

    if not len(times):
        return ["Lifetime: none, every trajectory began in the ground state"]
    decayed = int(times.decayed.sum())
    counts = f"{decayed} of {len(times)} have reached the ground state"
    if lifetime is not None:
        interval = f"95 % {lifetime.lower_fs:.1f}–{_limit(lifetime.upper_fs)} fs"
        what = f"{lifetime.value_fs:.1f} fs (median time to the ground state)"
        return [f"{times.state} lifetime: {what}, {interval}; {counts}"]
    lines = [f"{times.state} lifetime: not determined, only {counts}"]
    rate = time_per_decay(times)
    if rate is not None:
        said = f"95 % {_limit(rate.lower_fs)}–{_limit(rate.upper_fs)} fs"
        if math.isfinite(rate.value_fs):
            said = f"{rate.value_fs:.0f} fs, {said}"
        else:
            said = f"above {rate.lower_fs:.0f} fs (97.5 %)"
        lines.append(f"  If the rate were constant from the start: {said}")
    return lines


def either_way_lines(result: "Populations", times: "SurvivalTimes") -> list[str]:
    """Say how populations and lifetime change if parked trajectories are counted either way."""
    from namd.analysis.either_way import lifetime_range

    if not result.parked[-1]:
        return []
    lines = [f"If the {result.parked[-1]} parked are counted, at the last time:"]
    for k, label in enumerate(result.states):
        left_out, held = number(result.active[-1, k]), result.as_parked[-1, k]
        none, every = result.bound_lower[-1, k], result.bound_upper[-1, k]
        lines.append(
            f"  {label}: {left_out} left out, {none:.3f} none of them in it, {every:.3f} all of "
            f"them, {held:.3f} where they were parked"
        )
    if times.parked.any():
        either = lifetime_range(times)
        ends = ("not reached" if t is None else f"{t:.1f} fs" for t in (either.lower, either.upper))
        lines.append("  lifetime: {} if they decayed then, {} if they never do".format(*ends))
    return lines


def shown_rows(number_of_times: int, rows: int | None) -> list[int]:
    """About ``rows`` of all times, evenly, the first and the last among them; None: all."""
    step = 1 if rows is None else max(1, -(-(number_of_times - 1) // rows))
    return sorted({*range(0, number_of_times, step), number_of_times - 1})


def number(value: float) -> str:
    """Three digits, or a dash where there is no number (nobody counts)."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def _limit(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "not reached"

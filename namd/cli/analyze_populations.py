"""``namd analyze populations``: options in, populations and lifetime out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console
from namd.cli.analyze_runs import read_runs, runs_argument

if TYPE_CHECKING:
    from namd.analysis.populations import Populations
    from namd.analysis.survival import Estimate, SurvivalTimes
    from namd.io.ensemble import Ensemble

_ROWS = 20


@click.command()
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also draw a figure (.png, .pdf, .svg)."
)
@click.option("--full", is_flag=True, help=f"Print every saved time, not about {_ROWS} of them.")
@click.option(
    "--basis",
    type=click.Choice(["adiabatic", "diabatic"]),
    default="adiabatic",
    show_default=True,
    help="Which states; diabatic ones where the potential has some.",
)
def populations(
    runs: Sequence[Path], *, as_json: bool, figure: Path | None, full: bool, basis: str
) -> None:
    """State populations over time with 95 % intervals, and the excited-state lifetime.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file. Several runs of
    one method count as one; each must have a seed of its own.

    Who counts: n(t) trajectories, all that have not been parked by then. A finished trajectory
    keeps its last state. A parked one leaves at its parking time; how far the result could move
    if all parked ones were counted the one way or the other is printed. Intervals are Wilson's.

    The lifetime is the median time to the first arrival in the ground state (Kaplan-Meier;
    parked and still excited trajectories are censored, not dropped), with a bootstrap interval
    over trajectories. It is not given unless half of the trajectories have decayed.

    Diabatic populations are means of what each trajectory's active state and coherences give
    (Landry, Falk, Subotnik, DOI 10.1063/1.4837795), with the interval of a mean.

    \b
    Examples:
      namd analyze populations runs/cis
      namd analyze populations runs/cis --figure populations.png
      namd analyze populations runs/cis --json > populations.json
      namd analyze populations runs/morse --basis diabatic

    \b
    JSON: time_fs, states, active_state_populations [time][state], lower, upper,
    amplitude_populations, trajectories [time], parked, then
      parked_by_time [time], parking_reasons, bound_lower, bound_upper [time][state]: none and
                  all of the parked in the state; as_parked: where they were parked
      lifetime_bounds_fs  {lower, upper}: all parked decayed then, or never; null: not reached
      lifetime    null, or {state, median_fs, lower_fs, upper_fs}; upper_fs null: not reached
      survival    null, or {state, trajectories, decayed, parked, still_excited,
                  time_per_decay_fs: {value_fs, lower_fs, upper_fs}}: observed time per
                  decay, a lifetime only if the rate is constant; null: no upper limit
      decoherence the correction with its constant and convention
    With --basis diabatic: time_fs, states, mean, standard_error, lower, upper [time][diabat],
    trajectories [time], decoherence.
    """
    import numpy as np

    from namd.analysis.populations import populations as compute
    from namd.analysis.subject import subject
    from namd.analysis.survival import bootstrap_median, survival_times

    if figure is not None:
        from namd.analysis.figures import check_figure_path

        check_figure_path(figure)
    ensemble = read_runs(runs)
    if basis == "diabatic":
        from namd.cli.analyze_diabatic import show_diabatic

        rows = None if full else _ROWS
        show_diabatic(ensemble, as_json=as_json, figure=figure, rows=rows)
        return
    result = compute(ensemble)
    times = survival_times(ensemble)
    lifetime = bootstrap_median(
        times.duration_fs, times.decayed, generator=np.random.default_rng(0)
    )
    if figure is not None:
        from namd.analysis.figures import populations_figure, save_figure

        drawn = populations_figure(
            result, subject=subject(ensemble), lifetime=lifetime, decaying=times.state
        )
        save_figure(drawn, figure)
        console.note(f"Figure written to {figure}")
    if as_json:
        console.result_json(_as_json(ensemble, result, times, lifetime))
    else:
        _show(ensemble, result, times, lifetime, rows=None if full else _ROWS)


def _as_json(
    ensemble: "Ensemble", result: "Populations", times: "SurvivalTimes", lifetime: "Estimate | None"
) -> Any:
    from namd.analysis.either_way import lifetime_range
    from namd.analysis.jsonable import jsonable
    from namd.analysis.survival import time_per_decay
    from namd.io.ensemble import is_parked, parking_reasons

    survival = {
        "state": times.state,
        "trajectories": len(times),
        "decayed": times.decayed.sum(),
        "parked": times.parked.sum(),
        "still_excited": (~times.decayed & ~times.parked).sum(),
        "time_per_decay_fs": time_per_decay(times),
    }
    return jsonable(
        {
            "time_fs": result.time_fs,
            "states": result.states,
            "active_state_populations": result.active,
            "lower": result.lower,
            "upper": result.upper,
            "amplitude_populations": result.amplitude,
            "trajectories": result.trajectories,
            "parked": is_parked(ensemble).sum(),
            "parked_by_time": result.parked,
            "parking_reasons": parking_reasons(ensemble),
            "bound_lower": result.bound_lower,
            "bound_upper": result.bound_upper,
            "as_parked": result.as_parked,
            "lifetime_bounds_fs": lifetime_range(times),
            "lifetime": lifetime
            and {
                "state": times.state,
                "median_fs": lifetime.value_fs,
                "lower_fs": lifetime.lower_fs,
                "upper_fs": lifetime.upper_fs,
            },
            "survival": survival if len(times) else None,
            "decoherence": ensemble.decoherence,
        }
    )


def _show(
    ensemble: "Ensemble",
    result: "Populations",
    times: "SurvivalTimes",
    lifetime: "Estimate | None",
    *,
    rows: int | None,
) -> None:
    from namd.analysis.subject import subject
    from namd.cli.analyze_wording import (
        decoherence_line,
        either_way_lines,
        endings_line,
        lifetime_lines,
        number,
        shown_rows,
    )

    headings = ["time/fs", "n"]
    for label in result.states:
        headings += [label, "95 %", f"|c|² {label}"]
    shown = shown_rows(len(result.time_fs), rows)
    width = max(len("time/fs"), len(f"{result.time_fs[-1]:.1f}"))
    table = []
    for t in shown:
        row = [f"{result.time_fs[t]:{width}.1f}", str(result.trajectories[t])]
        for k in range(len(result.states)):
            band = f"{result.lower[t, k]:.3f}–{result.upper[t, k]:.3f}"
            row += [number(result.active[t, k]), band, number(result.amplitude[t, k])]
        table.append(row)
    console.table(headings, table, title=f"State populations  {subject(ensemble)}")
    console.result()
    console.result(endings_line(ensemble))
    console.result(decoherence_line(ensemble))
    for line in lifetime_lines(times, lifetime):
        console.result(line)
    for line in either_way_lines(result, times):
        console.result(line)
    if len(shown) < len(result.time_fs):
        console.note(
            f"{len(shown)} of {len(result.time_fs)} saved times shown; --full or --json gives all."
        )

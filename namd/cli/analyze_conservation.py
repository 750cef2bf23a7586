"""``namd analyze conservation``: options in, the energy audit out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console
from namd.cli.analyze_runs import read_runs, runs_argument

if TYPE_CHECKING:
    from namd.analysis.conservation_verdict import Audit
    from namd.io.ensemble import Ensemble

_QUANTITIES = {
    "drift_ev_per_ps": "drift/(eV/ps)",
    "fluctuation_ev": "fluctuation/eV",
    "jump_ev": "jump/eV",
    "deviation_ev": "deviation/eV",
}


@click.command()
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--full", is_flag=True, help="List every trajectory, not only those in doubt.")
@click.option("--drift", default=0.2, show_default=True, help="Limit of the drift, eV/ps.")
@click.option("--deviation", default=0.2, show_default=True, help="Limit of the deviation, eV.")
@click.option("--jump", default=0.1, show_default=True, help="Limit of a jump, eV.")
def conservation(
    runs: Sequence[Path], *, as_json: bool, full: bool, drift: float, deviation: float, jump: float
) -> None:
    """Audit the total energy of every trajectory, with a verdict on each.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file; several runs of one
    method count as one, their trajectories numbered on. Measured over the
    time a trajectory moved, from its saved frames: the slope of a straight line through the total
    energy (drift), the root mean square around it (fluctuation), the largest change between
    neighbouring frames (jump) and the largest difference from the start (deviation).

    \b
    Verdicts:
      violated   parked by the total-energy guard, or deviation or jump above its limit
      too short  fewer than three saved frames
      drifting   drift above its limit, and more than the fluctuation can feign
      conserved  none of these

    \b
    Examples:
      namd analyze conservation runs/cis
      namd analyze conservation runs/cis --full --deviation 0.5
      namd analyze conservation runs/cis --json

    \b
    JSON: trajectories, verdicts (verdict: count), limits, spread (per quantity: lower, median,
    upper (5, 50, 95 %), largest; or null), parked (reason: count), per_trajectory (list: id,
    verdict, time_ps, drift_ev_per_ps, fluctuation_ev, jump_ev, deviation_ev), timestep_fs,
    timestep_check (what was said of it before the run), decoherence.
    """
    from namd.analysis.conservation_verdict import Limits, audit

    limits = Limits(drift_ev_per_ps=drift, deviation_ev=deviation, jump_ev=jump)
    ensemble = read_runs(runs)
    found = audit(ensemble, limits=limits)
    if as_json:
        console.result_json(_as_json(ensemble, found))
    else:
        _show(ensemble, found, full=full)


def _as_json(ensemble: "Ensemble", found: "Audit") -> Any:
    from namd.analysis.conservation import spread
    from namd.analysis.jsonable import jsonable
    from namd.units import FS_PER_ATOMIC_TIME

    measured = found.measured
    columns = {"time_ps": measured.time_ps}
    columns |= {name: getattr(measured, name) for name in _QUANTITIES}
    return jsonable(
        {
            "trajectories": ensemble.n_trajectories,
            "verdicts": found.counts,
            "limits": found.limits,
            "spread": {name: spread(getattr(measured, name)) for name in _QUANTITIES},
            "parked": measured.parked,
            "per_trajectory": [
                {
                    "id": measured.trajectory_id[k],
                    "verdict": verdict,
                    **{name: values[k] for name, values in columns.items()},
                }
                for k, verdict in enumerate(found.verdicts)
            ],
            "timestep_fs": ensemble.timestep * FS_PER_ATOMIC_TIME,
            "timestep_check": ensemble.timestep_check,
            "decoherence": ensemble.decoherence,
        }
    )


def _show(ensemble: "Ensemble", found: "Audit", *, full: bool) -> None:
    from namd.analysis.conservation import spread
    from namd.analysis.conservation_verdict import CONSERVED
    from namd.analysis.subject import subject
    from namd.cli.analyze_wording import decoherence_line, endings_line, remedy_lines

    rows = []
    for name, heading in _QUANTITIES.items():
        row = spread(getattr(found.measured, name))
        if row is not None:
            numbers = (row.median, row.lower, row.upper, row.largest)
            rows.append([heading, *(f"{number:.2e}" for number in numbers)])
    headings = ["", "median", "5 %", "95 %", "largest"]
    console.table(headings, rows, title=f"Energy conservation  {subject(ensemble)}")
    listed = [k for k, verdict in enumerate(found.verdicts) if full or verdict != CONSERVED]
    if listed:
        console.result()
        console.table(
            ["trajectory", "verdict", "time/ps", *_QUANTITIES.values()],
            [_row(found, k) for k in listed],
            title="Every trajectory" if full else "Trajectories in doubt",
        )
    limits = found.limits
    console.result()
    console.result("Verdicts: " + ", ".join(f"{n} {name}" for name, n in found.counts.items() if n))
    console.result(
        f"Limits: drift {limits.drift_ev_per_ps:g} eV/ps, deviation {limits.deviation_ev:g} eV, "
        f"jump {limits.jump_ev:g} eV"
    )
    if listed and ensemble.timestep_check:
        console.result(f"Before the run: {ensemble.timestep_check}")
    console.result(endings_line(ensemble))
    for line in remedy_lines(ensemble):
        console.result(line)
    console.result(decoherence_line(ensemble))


def _row(found: "Audit", k: int) -> list[str]:
    import math

    measured = found.measured
    values = [measured.time_ps[k], *(getattr(measured, name)[k] for name in _QUANTITIES)]
    cells = [f"{value:.3g}" if math.isfinite(value) else "–" for value in values]
    return [str(measured.trajectory_id[k]), found.verdicts[k], *cells]

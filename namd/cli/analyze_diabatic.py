"""What ``namd analyze populations --basis diabatic`` shows."""

from pathlib import Path
from typing import TYPE_CHECKING

from namd.cli import console

if TYPE_CHECKING:
    from namd.io.ensemble import Ensemble


def show_diabatic(
    ensemble: "Ensemble", *, as_json: bool, figure: Path | None, rows: int | None
) -> None:
    """Print diabatic populations, and draw them if a figure is asked for.

    Parameters
    ----------
    ensemble
        The run.
    as_json
        JSON instead of a table.
    figure
        File of the figure.
    rows
        About how many rows the table shall have; None: all.
    """
    from namd.analysis.diabatic import diabatic_populations
    from namd.analysis.jsonable import jsonable
    from namd.analysis.subject import subject
    from namd.cli.analyze_wording import decoherence_line, endings_line, number, shown_rows

    result = diabatic_populations(ensemble)
    if figure is not None:
        from namd.analysis.figures import diabatic_figure, save_figure

        save_figure(diabatic_figure(result, subject=subject(ensemble)), figure)
        console.note(f"Figure written to {figure}")
    if as_json:
        console.result_json(jsonable(result) | {"decoherence": ensemble.decoherence})
        return
    headings = ["time/fs", "n"]
    for label in result.states:
        headings += [label, "95 %"]
    shown = shown_rows(len(result.time_fs), rows)
    width = max(len("time/fs"), len(f"{result.time_fs[-1]:.1f}"))
    table = []
    for t in shown:
        row = [f"{result.time_fs[t]:{width}.1f}", str(result.trajectories[t])]
        for k in range(len(result.states)):
            band = f"{number(result.lower[t, k])}–{number(result.upper[t, k])}"
            row += [number(result.mean[t, k]), band]
        table.append(row)
    console.table(headings, table, title=f"Diabatic populations  {subject(ensemble)}")
    console.result()
    console.result(endings_line(ensemble))
    console.result(decoherence_line(ensemble))
    if len(shown) < len(result.time_fs):
        console.note(
            f"{len(shown)} of {len(result.time_fs)} saved times shown; --full or --json gives all."
        )

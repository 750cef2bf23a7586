"""``namd analyze hops``: options in, the statistics of the hop table out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.analysis.hops import Quartiles


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def hops(run: Path, *, as_json: bool) -> None:
    """Hops by pair of states: accepted, frustrated, times and energy gaps.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file. Times and gaps are
    medians of the accepted hops with their quartiles; a frustrated hop is one that the kinetic
    energy along the coupling did not suffice for.

    \b
    Examples:
      namd analyze hops runs/cis
      namd analyze hops runs/cis --json

    \b
    JSON: trajectories, decoherence, hops (list: from_state, to_state, accepted, frustrated,
    trajectories, time_fs and gap_ev, each null or {lower, median, upper}).
    """
    from namd.analysis.hops import hop_statistics
    from namd.analysis.jsonable import jsonable
    from namd.analysis.subject import subject
    from namd.cli.analyze_wording import decoherence_line
    from namd.io.ensemble import read_ensemble

    ensemble = read_ensemble(run)
    statistics = hop_statistics(ensemble)
    if as_json:
        found = {
            "trajectories": ensemble.n_trajectories,
            "decoherence": ensemble.decoherence,
            "hops": statistics,
        }
        console.result_json(jsonable(found))
        return
    console.table(
        [
            "hop",
            "accepted",
            "frustrated",
            "trajectories",
            "time/fs",
            "quartiles",
            "gap/eV",
            "quartiles",
        ],
        [
            [
                f"{row.from_state} → {row.to_state}",
                str(row.accepted),
                str(row.frustrated),
                str(row.trajectories),
                *_cells(row.time_fs, digits=1),
                *_cells(row.gap_ev, digits=3),
            ]
            for row in statistics
        ],
        title=f"Hops  {subject(ensemble)}",
    )
    console.result(decoherence_line(ensemble))
    if not statistics:
        console.result("No hop was attempted.")


def _cells(values: "Quartiles | None", *, digits: int) -> tuple[str, str]:
    if values is None:
        return "–", "–"
    return f"{values.median:.{digits}f}", f"{values.lower:.{digits}f}–{values.upper:.{digits}f}"

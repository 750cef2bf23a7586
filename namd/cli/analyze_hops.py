"""``namd analyze hops``: options in, the statistics of the hop table out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console
from namd.cli.analyze_runs import read_runs, runs_argument

if TYPE_CHECKING:
    from namd.analysis.hop_map import HopMap
    from namd.analysis.hops import HopStatistics, Quartiles
    from namd.config.classes import AnalysisConfig
    from namd.io.ensemble import Ensemble


@click.command()
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--map",
    "axes",
    nargs=2,
    metavar="X Y",
    help="Two declared coordinates: their values where trajectories hop to the ground state.",
)
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="Draw the map (.png, .pdf, .svg).",
)
@click.option(
    "--mark",
    type=click.Path(path_type=Path),
    help="Geometries to draw as stars, e.g. of `namd sample meci`; named by group, or by file.",
)
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="YAML file with `coordinates` and `classes`; used instead of the run's own.",
)
def hops(
    runs: Sequence[Path],
    *,
    as_json: bool,
    axes: tuple[str, str] | None,
    figure: Path | None,
    mark: Path | None,
    classes: Path | None,
) -> None:
    """Hops by pair of states: accepted, frustrated, times and energy gaps.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file; several runs of one
    method count as one. Times and gaps are medians of the accepted hops with their quartiles; a
    frustrated hop is one that the kinetic energy along the coupling did not suffice for.

    With --map also where in the molecule's coordinates the ground state is reached, by what became
    of the trajectory (see `namd analyze quantum-yield`). Of a trajectory that hops back, the hop
    after which it stayed counts; the others are drawn as crosses.

    \b
    Examples:
      namd analyze hops runs/cis
      namd analyze hops runs/cis --json
      namd analyze hops runs/cis --map torsion pyramidalisation --figure map.png
      namd analyze hops runs/old --classes trajectories/classes-stilbene.yaml \\
        --map torsion ortho_distance

    \b
    JSON: trajectories, decoherence, hops (list: from_state, to_state, accepted, frustrated,
    trajectories, time_fs and gap_ev, each null or {lower, median, upper}); with --map also map:
    axes (list: name, unit), hops (list: trajectory, time_fs, gap_ev, last, outcome, values).
    """
    from namd.analysis.hops import hop_statistics

    _check(axes, figure=figure, mark=mark, classes=classes)
    ensemble = read_runs(runs)
    statistics = hop_statistics(ensemble)
    found = None if axes is None else _map(ensemble, axes, figure, mark=mark, classes=classes)
    if as_json:
        _show_json(ensemble, statistics, found)
        return
    _show(ensemble, statistics)
    if found is not None:
        _show_map(found)


def _check(axes: tuple[str, str] | None, **others: Path | None) -> None:
    """Refuse what cannot be, before anything is read."""
    from namd.analysis.figures import check_figure_path
    from namd.errors import ConfigError

    given = [name for name, value in others.items() if value is not None]
    if axes is None and given:
        raise ConfigError(
            "this option goes with --map",
            where=f"--{given[0]}",
            hint="name two coordinates, e.g. --map torsion pyramidalisation",
        )
    if others["mark"] is not None and others["figure"] is None:
        raise ConfigError("marks are drawn in a figure", where="--mark", hint="add --figure FILE")
    if others["figure"] is not None:
        check_figure_path(others["figure"])


def _map(
    ensemble: "Ensemble",
    axes: tuple[str, str],
    figure: Path | None,
    *,
    mark: Path | None,
    classes: Path | None,
) -> "HopMap":
    from namd.analysis.hop_map import hop_map
    from namd.cli.analyze_classes import read_classes

    config = read_classes(ensemble, classes)
    found = hop_map(ensemble, config, names=axes)
    if figure is not None:
        from namd.analysis.figures import save_figure
        from namd.analysis.hop_map_figure import hop_map_figure
        from namd.analysis.subject import subject

        drawn = hop_map_figure(
            found,
            classes=tuple(declared.name for declared in config.classes),
            subject=subject(ensemble),
            marks=None if mark is None else _marks(ensemble, config, mark, axes),
        )
        save_figure(drawn, figure)
        console.note(f"Figure written to {figure}")
    return found


def _marks(
    ensemble: "Ensemble", config: "AnalysisConfig", file: Path, axes: tuple[str, str]
) -> dict[str, Any]:
    """Values of the two coordinates at the geometries of a file, by their groups or numbers."""
    import numpy as np

    from namd.analysis.yields import coordinate_values
    from namd.data.frames import read_frames
    from namd.data.plain import UNGROUPED
    from namd.errors import DataError
    from namd.io.library import in_library

    frames = read_frames(in_library(file))
    if not np.array_equal(frames.molecule.atomic_numbers, ensemble.atomic_numbers):
        raise DataError(
            f"the geometries are of {frames.molecule.formula} or have their atoms in another order",
            where=f"--mark {file}",
            hint="mark geometries of the run's molecule",
        )
    chosen = {coordinate.name: coordinate for coordinate in config.coordinates}
    values = [coordinate_values(frames.positions, chosen[name]) for name in axes]
    names = [str(group) for group in frames.group]
    if len(set(names)) < len(names) or UNGROUPED in names:
        names = [f"{file.stem}-{k}" for k in range(len(frames))] if len(frames) > 1 else [file.stem]
    return dict(zip(names, np.stack(values, axis=-1), strict=True))


def _show_json(
    ensemble: "Ensemble", statistics: "list[HopStatistics]", found: "HopMap | None"
) -> None:
    from namd.analysis.jsonable import jsonable

    content: dict[str, Any] = {
        "trajectories": ensemble.n_trajectories,
        "decoherence": ensemble.decoherence,
        "hops": statistics,
    }
    if found is not None:
        columns = ("trajectory", "time_fs", "gap_ev", "last", "outcome", "values")
        rows = zip(*(getattr(found, name).tolist() for name in columns), strict=True)
        content["map"] = {
            "axes": found.axes,
            "hops": [dict(zip(columns, row, strict=True)) for row in rows],
        }
    console.result_json(jsonable(content))


def _show(ensemble: "Ensemble", statistics: "list[HopStatistics]") -> None:
    from namd.analysis.subject import subject
    from namd.cli.analyze_wording import decoherence_line

    headings = ["accepted", "frustrated", "trajectories", "time/fs", "quartiles", "gap/eV"]
    console.table(
        ["hop", *headings, "quartiles"],
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


def _show_map(found: "HopMap") -> None:
    """Medians and quartiles of the coordinates, by what became of the trajectories."""
    from namd.analysis.hops import quartiles

    rows = []
    for name in dict.fromkeys(found.outcome.tolist()):
        chosen = found.last & (found.outcome == name)
        if chosen.any():
            cells = [
                _cells(quartiles(column), digits=1 if axis.unit == "degrees" else 2)
                for axis, column in zip(found.axes, found.values[chosen].T, strict=True)
            ]
            rows.append([str(name), str(int(chosen.sum())), *cells[0], *cells[1]])
    first, second = (f"{axis.name}/{axis.unit}" for axis in found.axes)
    console.result()
    console.table(
        ["outcome", "hops", first, "quartiles", second, "quartiles"],
        rows,
        title="The hop after which the trajectory stayed in the ground state",
    )
    if earlier := int((~found.last).sum()):
        console.result(f"Other hops to the ground state, with a hop back later: {earlier}")


def _cells(values: "Quartiles | None", *, digits: int) -> tuple[str, str]:
    if values is None:
        return "–", "–"
    return f"{values.median:.{digits}f}", f"{values.lower:.{digits}f}–{values.upper:.{digits}f}"

"""``namd analyze quantum-yield``: options in, products with intervals out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from namd.cli import console
from namd.cli.analyze_runs import read_runs, runs_argument

if TYPE_CHECKING:
    from namd.analysis.yields import Share, Yields
    from namd.io.ensemble import Ensemble


@click.command("quantum-yield")
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also draw a figure (.png, .pdf, .svg)."
)
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="YAML file with `coordinates` and `classes`, or a run configuration with an `analysis` "
    "section; used instead of the run's own.",
)
def quantum_yield(
    runs: Sequence[Path], *, as_json: bool, figure: Path | None, classes: Path | None
) -> None:
    """Show what every trajectory has become, with 95 % Wilson intervals.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file; several runs of one
    method count as one. The classes are those of the (first) run's `analysis` section, or of
    --classes.

    Every trajectory is in exactly one place: a class, if it is in the ground state in its last
    frame and its geometry fits (the first class that fits is taken); `undecided`, if it is still
    excited or fits no class; `failed`, if a guard parked it. All fractions are of all
    trajectories. Those of the decided trajectories only are printed beside them, and both if none
    or all of the parked trajectories had become the class.

    \b
    Examples:
      namd analyze quantum-yield runs/cis
      namd analyze quantum-yield runs/cis --figure yields.png
      namd analyze quantum-yield runs/cis --classes trajectories/classes-stilbene.yaml

    \b
    A file of classes (atoms count from 0; kinds: dihedral, unsigned 0 to 180 degrees, angle,
    distance, min_distance over several pairs, pyramidalisation, position along an axis; bounds:
    at_least_degrees, below_degrees, at_least_angstrom, below_angstrom):
      coordinates:
        - {kind: dihedral, name: torsion, atoms: [5, 6, 7, 8]}
      classes:
        - {name: cis, bounds: [{coordinate: torsion, below_degrees: 90}]}
        - {name: trans, bounds: [{coordinate: torsion, at_least_degrees: 90}]}

    \b
    JSON: classes (name: count, fraction, lower, upper), trajectories, time_fs, decided,
    conditional (name: fraction, lower, upper among the decided), still_excited,
    unclassified, still_running, failures (reason: count), parked_either_way (name: of_all and
    of_decided, each lower and upper), decoherence.
    """
    from namd.analysis.subject import subject
    from namd.analysis.yields import quantum_yields
    from namd.cli.analyze_classes import read_classes

    if figure is not None:
        from namd.analysis.figures import check_figure_path

        check_figure_path(figure)
    ensemble = read_runs(runs)
    result = quantum_yields(ensemble, read_classes(ensemble, classes))
    if figure is not None:
        from namd.analysis.figures import save_figure, yields_figure

        save_figure(yields_figure(result, subject=subject(ensemble)), figure)
        console.note(f"Figure written to {figure}")
    if as_json:
        console.result_json(_as_json(ensemble, result))
    else:
        _show(ensemble, result)


def _as_json(ensemble: "Ensemble", result: "Yields") -> dict[str, object]:
    from dataclasses import asdict

    from namd.analysis.either_way import yield_ranges

    def interval(entry: "Share") -> dict[str, object]:
        return {"fraction": entry.fraction, "lower": entry.lower, "upper": entry.upper}

    return {
        "classes": {
            name: {"count": entry.count, **interval(entry)}
            for name, entry in result.classes.items()
        },
        "trajectories": ensemble.n_trajectories,
        "time_fs": result.time_fs,
        "decided": result.decided,
        "conditional": {name: interval(entry) for name, entry in result.conditional.items()},
        "still_excited": result.still_excited,
        "unclassified": result.unclassified,
        "still_running": result.still_running,
        "failures": result.failures,
        "parked_either_way": {
            name: {of: asdict(entry) for of, entry in ranges.items()}
            for name, ranges in yield_ranges(result).items()
        },
        "decoherence": ensemble.decoherence,
    }


def _show(ensemble: "Ensemble", result: "Yields") -> None:
    from namd.analysis.subject import subject
    from namd.cli.analyze_wording import decoherence_line, endings_line, remedy_lines

    rows = []
    for name, entry in result.classes.items():
        decided = result.conditional.get(name)
        rows.append(
            [
                name,
                str(entry.count),
                *_interval(entry),
                *(_interval(decided) if decided else ("", "")),
            ]
        )
    console.table(
        ["class", "count", "of all", "95 %", "of decided", "95 %"],
        rows,
        title=f"Products after {result.time_fs:.1f} fs  {subject(ensemble)}",
    )
    console.result()
    console.result(
        f"Decided: {result.decided}. Undecided: {result.still_excited} still excited, "
        f"{result.unclassified} in the ground state but in no class"
    )
    console.result(endings_line(ensemble))
    console.result(decoherence_line(ensemble))
    for line in remedy_lines(ensemble):
        console.result(line)
    if result.failures:
        _show_either_way(result)


def _show_either_way(result: "Yields") -> None:
    """Say how the fractions change if parked trajectories are counted either way."""
    from namd.analysis.either_way import yield_ranges

    parked = sum(result.failures.values())
    console.result(f"If none or all of the {parked} parked had become a class, it would have:")
    for name, ranges in yield_ranges(result).items():
        words = (
            f"{entry.lower:.3f}–{entry.upper:.3f} {of.replace('_', ' ')}"
            for of, entry in ranges.items()
            if entry.lower is not None and entry.upper is not None
        )
        console.result(f"  {name}: {', '.join(words)}")


def _interval(entry: "Share") -> tuple[str, str]:
    if entry.fraction is None or entry.lower is None or entry.upper is None:
        return "–", "–"
    return f"{entry.fraction:.3f}", f"{entry.lower:.3f}–{entry.upper:.3f}"

"""``namd analyze lifetimes``: runs in, medians and fitted lifetimes out."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console
from namd.cli.analyze_runs import read_runs, runs_argument

if TYPE_CHECKING:
    from namd.analysis.decay_fit import DecayFit
    from namd.analysis.lifetimes import Lifetime
    from namd.analysis.survival import Estimate
    from namd.config.classes import AnalysisConfig
    from namd.io.ensemble import Ensemble


@click.command()
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also draw a figure (.png, .pdf, .svg)."
)
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="YAML file with `coordinates` and `classes`; used instead of the (first) run's own.",
)
def lifetimes(
    runs: Sequence[Path], *, as_json: bool, figure: Path | None, classes: Path | None
) -> None:
    """Lifetimes by median and by fit, of all trajectories and of each product's.

    RUN is the folder made by `namd run surface-hopping`, or an ensemble file; several runs of one
    method count as one.

    A trajectory lives until its first arrival in the ground state; parked and still excited ones
    are censored (Kaplan-Meier). Fitted to that curve by least squares are

    \b
      exp(-(t - delay) / constant)   one before the delay; its mean is delay + constant
      exp(-t / lifetime)             the same without a delay

    Intervals are 95 % from resampled trajectories. The misfit is the largest distance of the curve
    from the fit: a form that describes 100 trajectories leaves about 0.1, 500 about 0.05. A fit
    asks for ten decays, and is marked * where its mean lies beyond what was observed.

    The times of one product's trajectories describe those that have become it by the end of the
    run; of a product that takes long the late ones are missing. Classes of products are those of
    the (first) run, or of --classes.

    \b
    Examples:
      namd analyze lifetimes runs/cis
      namd analyze lifetimes runs/member-1 runs/member-2 --figure lifetimes.png
      namd analyze lifetimes runs/cis --classes trajectories/classes-stilbene.yaml

    JSON: state, trajectories, time_fs, lifetimes (list: name, trajectories, decayed, median,
    delayed, exponential; each null where it is not known; median {value_fs, lower_fs, upper_fs};
    fits {delay, constant, lifetime, misfit, extrapolated}), decoherence.
    """
    from namd.analysis.lifetimes import lifetimes as compute

    if figure is not None:
        from namd.analysis.figures import check_figure_path

        check_figure_path(figure)
    ensemble = read_runs(runs)
    found = compute(ensemble, _classes(ensemble, classes))
    if figure is not None:
        _draw(ensemble, found, figure)
    if as_json:
        _show_json(ensemble, found)
    else:
        _show(ensemble, found)


def _classes(ensemble: "Ensemble", file: Path | None) -> "AnalysisConfig | None":
    """Those of the file or the run; None where the run has none."""
    from namd.cli.analyze_classes import read_classes

    if file is None and ensemble.config.get("analysis") is None:
        return None
    return read_classes(ensemble, file)


def _draw(ensemble: "Ensemble", found: "Sequence[Lifetime]", path: Path) -> None:
    from namd.analysis.figures import save_figure
    from namd.analysis.lifetimes_figure import lifetimes_figure
    from namd.analysis.subject import subject
    from namd.units import FS_PER_ATOMIC_TIME

    until = float(ensemble.time[-1]) * FS_PER_ATOMIC_TIME
    save_figure(lifetimes_figure(found, subject=subject(ensemble), until_fs=until), path)
    console.note(f"Figure written to {path}")


def _show_json(ensemble: "Ensemble", found: "Sequence[Lifetime]") -> None:
    from namd.analysis.jsonable import jsonable
    from namd.analysis.survival import survival_times
    from namd.units import FS_PER_ATOMIC_TIME

    content: dict[str, Any] = {
        "state": survival_times(ensemble).state,
        "trajectories": ensemble.n_trajectories,
        "time_fs": ensemble.time[-1] * FS_PER_ATOMIC_TIME,
        "lifetimes": [
            {
                "name": each.name,
                "trajectories": len(each.decayed),
                "decayed": each.decayed.sum(),
                "median": each.median,
                "delayed": each.delayed,
                "exponential": each.exponential,
            }
            for each in found
        ],
        "decoherence": ensemble.decoherence,
    }
    console.result_json(jsonable(content))


def _show(ensemble: "Ensemble", found: "Sequence[Lifetime]") -> None:
    from namd.analysis.subject import subject
    from namd.analysis.survival import survival_times
    from namd.cli.analyze_wording import decoherence_line

    if not len(found[0].decayed):
        console.result("Lifetimes: none, every trajectory began in the ground state")
        return
    table = []
    for each in found:
        fit = each.delayed
        row = [each.name, f"{each.decayed.sum()}/{len(each.decayed)}", _text(each.median)]
        if fit is None:
            table.append([*row, *["–"] * 4])
            continue
        mean = _text(fit.lifetime) + _star(fit)
        table.append([*row, _text(fit.delay), _text(fit.constant), mean, f"{fit.misfit:.3f}"])
    headings = ["", "decayed", "median/fs", "delay/fs", "constant/fs", "delay + constant", "misfit"]
    state = survival_times(ensemble).state
    title = f"Time from {state} to the ground state  {subject(ensemble)}"
    console.table(headings, table, title=title)
    console.result()
    bare = found[0].exponential
    if bare is not None:
        said = f"{_text(bare.lifetime)}{_star(bare)} fs, misfit {bare.misfit:.3f}"
        console.result(f"Without a delay: {said}")
    fits = [bare, *(each.delayed for each in found)]
    if any(fit is not None and fit.extrapolated for fit in fits):
        console.result("* beyond what was observed: the fit says more than the trajectories")
    console.result(decoherence_line(ensemble))


def _star(fit: "DecayFit | None") -> str:
    return "*" if fit is not None and fit.extrapolated else ""


def _text(estimate: "Estimate | None") -> str:
    """A number and its interval; a dash where there is none."""
    if estimate is None:
        return "–"
    upper = f"{estimate.upper_fs:.0f}" if math.isfinite(estimate.upper_fs) else "∞"
    return f"{estimate.value_fs:.0f} ({estimate.lower_fs:.0f}–{upper})"

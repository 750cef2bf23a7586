"""``namd analyze compare``: several runs in, their differences out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from namd.analysis.comparison import Comparison, Run
    from namd.analysis.survival import Estimate
    from namd.config.classes import AnalysisConfig
    from namd.io.ensemble import Ensemble


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--label", "labels", multiple=True, help="Name of each run, in order; else its folder."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also draw a figure (.png, .pdf, .svg)."
)
@click.option("--state", help="State whose population is drawn [the one the first run began in].")
def compare(
    runs: tuple[Path, ...],
    *,
    labels: tuple[str, ...],
    as_json: bool,
    figure: Path | None,
    state: str | None,
) -> None:
    """Compare runs of one molecule: lifetimes and products, each beside the first run's.

    RUNS are folders made by `namd run surface-hopping`, or ensemble files; the first is the one
    that the others are compared with. Its classes of products are used for all.

    Runs that began alike (same geometries, velocities and states: same seed and initial
    conditions) are compared in pairs: what the start decides is common to both and cancels, so
    the intervals of the differences are narrower than those of the runs would suggest.
    Differences of shares have Newcombe's 95 % interval, those of lifetimes one from a bootstrap
    over trajectories; a star marks those whose interval does not hold zero.

    \b
    Examples:
      namd run surface-hopping stilbene-cis --output runs/edc
      namd run surface-hopping stilbene-cis --output runs/bare --set dynamics.preset=fssh
      namd analyze compare runs/edc runs/bare --figure comparison.png
      namd analyze compare runs/edc runs/bare --label EDC --label bare --json

    \b
    JSON: runs (list: label, trajectories, parked, time_fs, states, active_state_populations,
    lower, upper, lifetime, classes), differences (list: label, paired, lifetime {value_fs,
    lower_fs, upper_fs}, classes (name: value, lower, upper)), against (label of the first run).
    """
    from namd.analysis.comparison import compare as compute
    from namd.io.ensemble import read_ensemble

    if figure is not None:
        from namd.analysis.figures import check_figure_path

        check_figure_path(figure)
    names = _labels(runs, labels)
    ensembles = [read_ensemble(run) for run in runs]
    found = compute(ensembles, names, classes=_classes(ensembles[0]))
    if figure is not None:
        from namd.analysis.comparison_figure import comparison_figure
        from namd.analysis.figures import save_figure

        number = _state(ensembles[0], state)
        drawn = comparison_figure(found, state=number, subject=_subject(ensembles))
        save_figure(drawn, figure)
        console.note(f"Figure written to {figure}")
    if as_json:
        console.result_json(_as_json(ensembles, found))
    else:
        _show(ensembles, found)


def _labels(runs: "Sequence[Path]", labels: "Sequence[str]") -> list[str]:
    """Names of the runs, checked before anything is read."""
    from namd.errors import ConfigError

    if len(runs) < 2:
        raise ConfigError(
            "a comparison needs two runs or more", where="RUNS", hint="name their folders"
        )
    if labels and len(labels) != len(runs):
        raise ConfigError(
            f"{len(runs)} runs but {len(labels)} names",
            where="--label",
            hint="give the option once for every run, in the same order",
        )
    if labels:
        return list(labels)
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]


def _classes(ensemble: "Ensemble") -> "AnalysisConfig | None":
    from namd.config.classes import AnalysisConfig

    declared = ensemble.config.get("analysis")
    return None if declared is None else AnalysisConfig.model_validate(declared)


def _state(ensemble: "Ensemble", label: str | None) -> int:
    from namd.errors import ConfigError

    if label is None:
        return int(ensemble.active_state[0].max())
    if label not in ensemble.states.labels:
        raise ConfigError(
            f"expected one of: {', '.join(ensemble.states.labels)}", where=f"--state {label}"
        )
    return ensemble.states.labels.index(label)


def _subject(ensembles: "Sequence[Ensemble]") -> str:
    """What is compared, without the numbers of trajectories if they differ."""
    from namd.analysis.subject import subject

    words = subject(ensembles[0])
    same = len({ensemble.n_trajectories for ensemble in ensembles}) == 1
    return f"{words} each" if same else " · ".join(words.split(" · ")[:-1])


def _as_json(ensembles: "Sequence[Ensemble]", found: "Comparison") -> Any:
    from namd.analysis.jsonable import jsonable
    from namd.io.ensemble import is_parked

    return jsonable(
        {
            "runs": [
                {
                    "label": run.label,
                    "trajectories": ensemble.n_trajectories,
                    "parked": is_parked(ensemble).sum(),
                    "time_fs": run.populations.time_fs,
                    "states": run.populations.states,
                    "active_state_populations": run.populations.active,
                    "lower": run.populations.lower,
                    "upper": run.populations.upper,
                    "lifetime": run.lifetime,
                    "classes": run.yields and run.yields.classes,
                }
                for ensemble, run in zip(ensembles, found.runs, strict=True)
            ],
            "against": found.runs[0].label,
            "differences": [
                {
                    "label": row.label,
                    "paired": row.paired,
                    "lifetime": row.lifetime,
                    "classes": row.shares,
                }
                for row in found.differences
            ],
        }
    )


def _show(ensembles: "Sequence[Ensemble]", found: "Comparison") -> None:
    from namd.analysis.subject import endings

    rows = []
    for ensemble, run in zip(ensembles, found.runs, strict=True):
        counts, methods = endings(ensemble), ensemble.config.get("dynamics", {})
        kept, parked = counts["finished"] + counts["active"], counts["parked"]
        how = [str(methods.get(key, "–")) for key in ("electronic", "hopping", "rescaling")]
        rows.append([run.label, str(kept), str(parked), *how, ensemble.decoherence])
    title = f"Comparison  {_subject(ensembles)}, {_length(ensembles)}"
    headings = ["run", "n", "parked", "electronic", "hopping", "rescaling", "decoherence"]
    console.table(headings, rows, title=title)
    console.result()
    names = list(found.runs[0].yields.classes) if found.runs[0].yields else []
    rows = _block("lifetime/fs", found, [_time(run.lifetime) for run in found.runs])
    for row, entry in zip(rows[1:], found.differences, strict=True):
        row[4:] = _time(entry.lifetime, form="+.1f")
    for name in names:
        block = _block(name, found, [_share(run, name) for run in found.runs])
        for row, entry in zip(block[1:], found.differences, strict=True):
            share = entry.shares[name]
            row[4:] = _marked(share.value, share.lower, share.upper, form="+.3f")
        rows += block
    against = found.runs[0].label
    console.table(["", "run", "value", "95 %", f"less {against}", "95 %"], rows)
    console.result()
    alike = [entry.label for entry in found.differences if entry.paired]
    console.result(f"Compared in pairs with {against}: {', '.join(alike) or 'none'}")
    console.result("Lifetime: median time to the ground state. Shares are of all trajectories.")
    console.result("Intervals are statistical only; * that of a difference does not hold zero.")


def _block(
    quantity: str, found: "Comparison", values: "Sequence[tuple[str, str]]"
) -> list[list[str]]:
    """Rows of one quantity, the differences still empty."""
    labels = [run.label for run in found.runs]
    firsts = [quantity, *[""] * (len(labels) - 1)]
    return [
        [first, label, *value, "", ""]
        for first, label, value in zip(firsts, labels, values, strict=True)
    ]


def _share(run: "Run", name: str) -> tuple[str, str]:
    share = run.yields.classes[name] if run.yields else None
    if share is None or share.fraction is None:
        return "–", ""
    return f"{share.fraction:.3f}", f"{share.lower:.3f}–{share.upper:.3f}"


def _time(estimate: "Estimate | None", *, form: str = ".1f") -> tuple[str, str]:
    if estimate is None:
        return ("", "") if form.startswith("+") else ("not reached", "")
    return _marked(estimate.value_fs, estimate.lower_fs, estimate.upper_fs, form=form)


def _marked(value: float, lower: float, upper: float, *, form: str) -> tuple[str, str]:
    """A number and its interval; differences (signed) get a star where it does not hold zero."""
    if not form.startswith("+"):
        return format(value, form), f"{lower:{form}}–{upper:{form}}"
    mark = "*" if lower > 0 or upper < 0 else " "
    return f"{value:{form}}{mark}", f"{lower:{form}} … {upper:{form}}"


def _length(ensembles: "Sequence[Ensemble]") -> str:
    from namd.units import FS_PER_ATOMIC_TIME

    lengths = dict.fromkeys(
        f"{ensemble.time[-1] * FS_PER_ATOMIC_TIME:.6g}" for ensemble in ensembles
    )
    return f"{' / '.join(lengths)} fs"

"""``namd analyze model-error``: runs on several models in, means with both errors out."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.analysis.model_error import Pooled
    from namd.io.ensemble import Ensemble


@click.command("model-error")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    help="YAML file with `coordinates` and `classes`; used instead of the first run's own.",
)
def model_error(runs: Sequence[Path], *, as_json: bool, classes: Path | None) -> None:
    """Split what scatters between runs on several models into chance and the models.

    RUNS are ensembles of one molecule, each on another model: the members of a committee, one by
    one, each with a seed of its own. Their lifetimes and products scatter because trajectories are
    few (sampling) and because the models differ.

    \b
    mean       over the models, with a 95 % interval that holds both errors: few models make it wide
    sampling   standard error of the mean that the number of trajectories alone would cause
    models     standard deviation between models, with its 95 % interval: what another training
               would change, whatever the number of trajectories

    \b
    Examples:
      for k in 1 2 3 4; do
        namd run surface-hopping stilbene-cis --set potential.model=committee/member-$k \\
          --set seed=$k --output runs/member-$k
      done
      namd analyze model-error runs/member-*

    JSON: runs (list: run, model, trajectories), time_fs, and shares (class: …) and lifetime (null
    if a median or an end of its interval is not reached), each with values, mean, lower, upper,
    sampling, between, between_lower, between_upper; shares are of all trajectories, lifetimes in
    fs; null where nothing can be told, as of a class that never occurs.
    """
    from namd.analysis.model_error import pool_estimates, pool_shares
    from namd.analysis.yields import quantum_yields
    from namd.cli.analyze_classes import read_classes
    from namd.errors import ConfigError
    from namd.io.ensemble import read_ensemble

    if len(runs) < 2:
        raise ConfigError(
            "model error shows between two runs or more", where="RUNS", hint="name their folders"
        )
    ensembles = [read_ensemble(run) for run in runs]
    _check(ensembles)
    config = read_classes(ensembles[0], classes)
    yields = [quantum_yields(ensemble, config) for ensemble in ensembles]
    totals = [ensemble.n_trajectories for ensemble in ensembles]
    shares = {
        name: pool_shares([found.classes[name].count for found in yields], totals)
        for name in yields[0].classes
    }
    lifetimes = [_lifetime(ensemble) for ensemble in ensembles]
    known = [each for each in lifetimes if each is not None]
    lifetime = pool_estimates(known) if len(known) == len(lifetimes) else None
    if as_json:
        _show_json(ensembles, shares, lifetime, time_fs=yields[0].time_fs)
    else:
        _show(ensembles, shares, lifetime, time_fs=yields[0].time_fs)


def _check(ensembles: "Sequence[Ensemble]") -> None:
    """Refuse runs of different molecules; tell of runs that are no independent samples."""
    from namd.analysis.comparison import began_alike, refuse_other_subject

    first = ensembles[0]
    for other in ensembles[1:]:
        refuse_other_subject(first, other)
    if any(began_alike(first, other) for other in ensembles[1:]):
        console.note(
            "Runs began alike (same seed): what their starts have in common does not scatter, so "
            "that the errors here are too small. Give each run a seed of its own."
        )
    models = {str(ensemble.potential.get("digest")) for ensemble in ensembles}
    if len(models) < len(ensembles):
        console.note("Several runs are on one model: they say nothing of the error of models.")


def _lifetime(ensemble: "Ensemble") -> Any:
    import numpy as np

    from namd.analysis.survival import bootstrap_median, survival_times

    times = survival_times(ensemble)
    generator = np.random.default_rng(0)
    return bootstrap_median(times.duration_fs, times.decayed, generator=generator)


def _show_json(
    ensembles: "Sequence[Ensemble]",
    shares: "dict[str, Pooled]",
    lifetime: "Pooled | None",
    *,
    time_fs: float,
) -> None:
    from namd.analysis.jsonable import jsonable

    content = {
        "runs": [
            {
                "run": str(ensemble.path),
                "model": ensemble.potential.get("name"),
                "trajectories": ensemble.n_trajectories,
            }
            for ensemble in ensembles
        ],
        "time_fs": time_fs,
        "shares": {name: asdict(pooled) for name, pooled in shares.items()},
        "lifetime": None if lifetime is None else asdict(lifetime),
    }
    console.result_json(jsonable(content))


def _show(
    ensembles: "Sequence[Ensemble]",
    shares: "dict[str, Pooled]",
    lifetime: "Pooled | None",
    *,
    time_fs: float,
) -> None:
    from namd.analysis.subject import formula
    from namd.cli.analyze_wording import decoherence_line

    rows = [_row(name, pooled, digits=3) for name, pooled in shares.items()]
    if lifetime is not None:
        rows.append(_row("lifetime / fs", lifetime, digits=1))
    total = sum(ensemble.n_trajectories for ensemble in ensembles)
    console.table(
        ["", "each run", "mean", "95 %", "sampling", "models", "95 %"],
        rows,
        title=f"Products after {time_fs:.1f} fs  {formula(ensembles[0].atomic_numbers)} · "
        f"{len(ensembles)} models · {total} trajectories",
    )
    if lifetime is None:
        console.result("lifetime: not determined, too few have decayed in one run or more")
    console.result(decoherence_line(ensembles[0]))


def _row(name: str, pooled: "Pooled", *, digits: int) -> list[str]:
    def text(*values: float) -> str:
        return "–" if isnan(values[0]) else "–".join(f"{value:.{digits}f}" for value in values)

    return [
        name,
        " ".join(text(value) for value in pooled.values),
        text(pooled.mean),
        text(pooled.lower, pooled.upper),
        text(pooled.sampling),
        text(pooled.between),
        text(pooled.between_lower, pooled.between_upper),
    ]

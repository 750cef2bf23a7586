"""``namd evaluate``: errors of a model on labelled frames."""

from pathlib import Path
from typing import Any

import click

from namd.cli import console


@click.command(epilog="Exit codes: 0 done, 2 usage, 3 model or data cannot be used.")
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the errors as JSON.")
@click.option(
    "--groups",
    multiple=True,
    metavar="PATTERN",
    help="Only frames of these groups, e.g. 'traj-cis-*'; may be repeated.",
)
@click.option("--states", type=click.IntRange(min=1), help="Use only so many of the lowest states.")
@click.option(
    "--figure",
    type=click.Path(path_type=Path),
    help="Also draw parity plots (.png, .pdf, .svg).",
)
@click.option(
    "--reliability",
    type=click.Path(path_type=Path),
    help="Also draw true against predicted errors, of a model that predicts any.",
)
def evaluate(
    model: str,
    data: Path,
    *,
    as_json: bool,
    groups: tuple[str, ...],
    states: int | None,
    figure: Path | None,
    reliability: Path | None,
) -> None:
    """Compare a model with labels: per state and per gap bin.

    \b
    Examples:
      namd evaluate stilbene-ssr labels.h5
      namd evaluate runs/my-model labels.h5 --json
      namd evaluate stilbene-ssr labels.h5 --groups traj-cis-003 --figure parity.png
      namd evaluate runs/my-committee test.h5 --reliability reliability.png

    MODEL is a model folder, a committee or a name of the zoo, DATA a labelled dataset. Energies are
    compared as they are, without shifting by the mean; couplings as h = d·(E_j − E_i) after the
    best joint choice of state signs.

    A second table has the errors a model predicts of itself beside the true ones, both as root mean
    squares: of a committee the deviation over its members, of a single model the distance of its
    features from those of the training frames, times a factor fitted on the validation frames. NLL
    is the mean negative log-likelihood of the errors, lower is better; ENCE the mean relative
    difference of predicted and true errors in ten bins by deviation. JSON: `uncertainty`.
    """
    from fnmatch import fnmatchcase

    import numpy as np

    from namd.analysis.figures import check_figure_path, save_figure
    from namd.data.checks import check_dataset
    from namd.data.reading import read_dataset
    from namd.errors import ConfigError
    from namd.io.library import find_model, in_library
    from namd.nn.parallel import use_threads
    from namd.train.card import dipole_lines, error_headings, error_rows
    from namd.train.evaluation import compare, require_fit
    from namd.train.figures import parity_figure
    from namd.train.metrics import error_table
    from namd.train.predictors import load_predictor
    from namd.train.reliability import uncertainty_table

    for path in filter(None, (figure, reliability)):
        check_figure_path(path)
    use_threads()
    network = load_predictor(find_model(model))
    data = in_library(data)
    dataset = read_dataset(data)
    check_dataset(dataset, path=data, require_coupling=False, require_forces=False)
    if states is not None:
        dataset = dataset.lowest_states(states)
    require_fit(network, dataset, where=str(data))
    if groups:
        wanted = np.array([any(fnmatchcase(g, p) for p in groups) for g in dataset["group"]])
        if not wanted.any():
            raise ConfigError(
                f"no group of {data} matches {' '.join(groups)}",
                where="--groups",
                hint="see the groups with `namd data inspect`",
            )
        dataset = dataset.select(wanted)
    comparison = compare(network, dataset)
    errors = error_table(comparison)
    labels = network.information.states.labels
    if figure is not None:
        title = f"{network.information.name} on {data.name}"
        save_figure(parity_figure(comparison, labels=labels, title=title), figure)
    uncertainty = uncertainty_table(comparison, network.scales)
    if reliability is not None:
        _draw_reliability(uncertainty, reliability, model=network.information.name, data=data)
    if as_json:
        console.result_json(errors | ({"uncertainty": uncertainty} if uncertainty else {}))
        return
    title = f"{network.information.name} on {data.name} ({dataset.level_of_theory})"
    console.table(error_headings(list(labels)), error_rows(errors, list(labels)), title=title)
    console.note("mean absolute errors; h: R² = 1 − Σ|h−h_ref|²/Σ|h_ref|² and mean cosine")
    for line in filter(None, dipole_lines(errors)):
        console.note(line)
    if dataset.level_of_theory != network.information.level_of_theory:
        console.warn(
            f"the model learned {network.information.level_of_theory}, "
            f"the labels are {dataset.level_of_theory}"
        )
    if uncertainty:
        _show_uncertainty(uncertainty, calibrated=bool(network.scales))


def _draw_reliability(table: dict[str, Any], path: Path, *, model: str, data: Path) -> None:
    from namd.analysis.figures import save_figure
    from namd.errors import ConfigError
    from namd.train.reliability_figure import reliability_figure

    if not table:
        raise ConfigError(
            f"{model} predicts no errors of its own",
            where="--reliability",
            hint="it was trained before models kept the distance from their training frames; train "
            "again, or leave the figure out",
        )
    save_figure(reliability_figure(table, title=f"{model} on {data.name}"), path)


def _show_uncertainty(table: dict[str, Any], *, calibrated: bool) -> None:
    from namd.train.uncertainty_words import (
        uncertainty_headings,
        uncertainty_lines,
        uncertainty_rows,
    )

    console.result()
    title = "Predicted and true errors" if calibrated else "Deviations, not calibrated, and errors"
    console.table(uncertainty_headings(table), uncertainty_rows(table), title=title)
    for line in uncertainty_lines(table, calibrated=calibrated):
        console.note(line)

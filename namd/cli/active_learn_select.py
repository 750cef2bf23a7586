"""``namd active-learn select``: candidates and a model in, frames worth a label out."""

from pathlib import Path
from typing import Any

import click

from namd.cli import console

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("candidates", nargs=-1, required=True, type=FILE)
@click.option("--model", metavar="MODEL", required=True, help="Model or committee.")
@click.option(
    "--known",
    multiple=True,
    type=FILE,
    help="Labelled frames: they set the limits, and nothing near to them is chosen; repeatable.",
)
@click.option("--budget", "-n", type=click.IntRange(min=1), help="Frames to choose at most.")
@click.option("--every", type=click.IntRange(min=1), help="Of runs look at every N-th frame.")
@click.option("--fill", is_flag=True, default=None, help="Fill up with the farthest of the rest.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another key of the selection, e.g. degenerate_ev=0.3; `namd config schema active-learn`.",
)
@click.option("--output", type=FILE, required=True, help="File to write: .h5, or .xyz.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def select(
    *,
    candidates: tuple[Path, ...],
    model: str,
    known: tuple[Path, ...],
    overrides: tuple[str, ...],
    output: Path,
    as_json: bool,
    force: bool,
    **given: Any,
) -> None:
    """Choose the frames whose labels would teach the model most, and say why of each.

    CANDIDATES are runs (parked frames and those along the trajectories), samples, scans, datasets
    (their labels are not looked at) or geometry files. A frame counts where a trajectory was
    parked, the members of a committee disagree about an energy, a gap or a force, two states come
    near each other, or it is far from all labelled frames in the features of the model. Of the
    best the most varied are taken. OUTPUT has the reasons of each frame; `namd label` reads it.

    \b
    Examples:
      namd active-learn select runs/cis --model stilbene-ssr -n 500 --output to_label.h5 \\
          --known models/stilbene-ssr/data/stilbene-ssr-thinned.h5
      namd active-learn select pool.h5 --model runs/committee --known dataset.h5 -n 100 \\
          --set force_ev_per_angstrom=0.3 --output selected.h5
    """
    from namd.active.candidates import read_candidates
    from namd.active.select import select_frames, summary
    from namd.config.active_learning import SelectionConfig
    from namd.config.loading import apply_overrides, validate
    from namd.data.frames import join_frames, read_frames
    from namd.data.frames_file import check_frames_path, write_frames
    from namd.io.library import find_model, in_library
    from namd.nn.parallel import use_threads
    from namd.train.predictors import load_predictor

    check_frames_path(output, overwrite=force)
    options = {key: value for key, value in given.items() if value is not None}
    config = validate(apply_overrides(options, overrides), SelectionConfig, where="--set")
    use_threads()
    predictor = load_predictor(find_model(model))
    found = read_candidates(
        [in_library(path) for path in candidates],
        molecule=predictor.information.molecule,
        every=config.every,
    )
    labelled = join_frames([read_frames(in_library(path)) for path in known]) if known else None
    console.note(f"{len(found)} candidates of {predictor.information.molecule.formula}")
    selected = select_frames(found, predictor, config=config, known=labelled)
    write_frames(selected.frames, output, overwrite=force, columns=selected.columns)
    told = summary(
        selected.batch, candidates=len(found), known=0 if labelled is None else len(labelled)
    )
    if as_json:
        console.result_json({"file": str(output), **told})
    else:
        _show(told, output)


def _show(told: dict[str, Any], output: Path) -> None:
    units = {"energy": "eV", "gap": "eV", "degenerate": "eV", "force": "eV/Å"}
    limits, counts = told["limits"], told["candidates_by_reason"]
    rows = [
        [
            name,
            f"{limits[name]:.3g} {units.get(name, '')}".rstrip() if name in limits else "–",
            str(counts.get(name, "–")),
            str(told["chosen_by_reason"].get(name, 0)),
        ]
        for name in dict.fromkeys([*counts, *told["chosen_by_reason"]])
    ]
    console.table(["reason", "limit", "candidates", "chosen"], rows, title=f"{output}")
    console.result(
        f"\n{told['chosen']} of {told['candidates']} candidates chosen; {told['eligible']} have a "
        "reason (or several)"
    )
    console.note(f"next:  namd label {output} --config ENGINE.yaml --output labels.h5")

"""``namd sample descend``: a geometry in, the path of steepest descent from it out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console
from namd.cli.kept_search import kept_searches, resume_option, tell_labels

if TYPE_CHECKING:
    from namd.sampling.steepest_descent import DescentPath


@click.command()
@click.argument("geometry")
@click.option("--name", help="Group inside an HDF5 file of one geometry, e.g. cis.")
@click.option("--frame", type=click.IntRange(min=0), help="Which frame of GEOMETRY, from 0 on.")
@click.option("--model", help="A model folder, or a name in the zoo.")
@click.option(
    "--config",
    help="YAML file with an engine (as for `namd label`), or a run configuration, whose potential "
    "is taken.",
)
@click.option(
    "--state", type=click.IntRange(min=0), default=1, show_default=True, help="0 is the lowest."
)
@click.option(
    "--points",
    type=click.IntRange(min=2),
    default=31,
    show_default=True,
    help="Of the path, both ends included.",
)
@click.option(
    "--length",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="How far at most, Å·√amu.",
)
@click.option(
    "--force-tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=0.05,
    show_default=True,
    help="The path ends where the largest force on an atom is below, eV/Å.",
)
@click.option(
    "--gap-tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=0.05,
    show_default=True,
    help="Or where the gap to the state below is, eV.",
)
@click.option("--group", help="Of all frames.  [default: the name of OUTPUT]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Frames to write: .h5, or .xyz. Lengths and energies stand in OUTPUT.json beside it.",
)
@resume_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
def descend(
    *,
    geometry: str,
    name: str | None,
    frame: int | None,
    model: str | None,
    config: str | None,
    state: int,
    points: int,
    length: float,
    force_tolerance: float,
    gap_tolerance: float,
    group: str | None,
    output: Path,
    resume: bool,
    force: bool,
) -> None:
    """Follow one state downhill: the minimum-energy path from a geometry.

    GEOMETRY is a geometry or a file of frames. The path of steepest descent in mass-weighted
    coordinates shows what a molecule without inertia would do, e.g. from the Franck–Condon point
    of S1. It ends at a minimum of the state, or where the state meets the one below.

    What is written can be labelled, to see whether a model and its reference go the same way.

    \b
    Examples:
      namd sample descend models/stilbene-ssr/data/minima.h5 --name cis --model stilbene-ssr \\
        --output path.h5
      namd label path.h5 --config engine.yaml --output path-labels.h5
      namd evaluate stilbene-ssr path-labels.h5
    """
    import numpy as np

    from namd.data.frames import Frames
    from namd.data.frames_file import check_frames_path, write_frames
    from namd.io.atomic import write_text
    from namd.io.library import find_file
    from namd.sampling.electronics_choice import choose_electronics
    from namd.sampling.starts import one_start, read_starts
    from namd.sampling.steepest_descent import steepest_descent
    from namd.units import (
        ANGSTROM_PER_BOHR,
        ELECTRON_MASS_PER_AMU,
        EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
        EV_PER_HARTREE,
    )

    path = find_file(geometry)
    frames = read_starts(path, name=name)
    start = one_start(frames, frame)
    with kept_searches(output, resume=resume, force=force, group=group or output.stem) as keep:
        check_frames_path(output, overwrite=keep.may_replace)
        chosen = choose_electronics(
            frames.molecule, model=model, config=config, where=str(path), keep=keep
        )
        unit = ANGSTROM_PER_BOHR / ELECTRON_MASS_PER_AMU**0.5
        with console.progress() as bar:
            task = bar.add_task("gradients", total=None)
            found = steepest_descent(
                chosen.cold(),
                chosen.molecule,
                start,
                state=state,
                length=length / unit,
                points=points,
                force_tolerance=force_tolerance / EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
                gap_tolerance=gap_tolerance / EV_PER_HARTREE,
                done=lambda count: bar.update(task, completed=count),
            )
        record = {
            "state": state,
            "end": found.end,
            "gradients": found.gradients,
            "input": path.name,
            "potential": chosen.description,
        }
        named = np.full(points, group or output.stem)
        made = Frames(
            molecule=chosen.molecule,
            positions=found.positions,
            group=named,
            source=np.full(points, "descent"),
            provenance={"steps": [{"step": "descend", **record}]},
        )
        write_frames(made, output, overwrite=keep.may_replace)
        story = record | {
            "length_angstrom_sqrt_amu": (found.length * unit).tolist(),
            "energies_hartree": dict(zip(chosen.labels, found.energies.T.tolist(), strict=True)),
        }
        write_text(output.with_name(f"{output.name}.json"), json.dumps(story, indent=1) + "\n")
        tell_labels(keep)
    _show(found, chosen.labels, unit=unit, state=state, output=output)


def _show(
    found: "DescentPath", labels: tuple[str, ...], *, unit: float, state: int, output: Path
) -> None:
    from namd.units import EV_PER_HARTREE

    ends: dict[str, Any] = {
        "minimum": f"a minimum of {labels[state]}",
        "intersection": f"where {labels[state]} meets {labels[max(state - 1, 0)]}",
        "length": "as far as was asked, on its way",
    }
    lowest = float(found.energies.min())
    rows = [
        [f"{s * unit:.3f}", *(f"{(energy - lowest) * EV_PER_HARTREE:.3f}" for energy in energies)]
        for s, energies in zip(found.length, found.energies, strict=True)
    ]
    console.table(
        ["s/Å√amu", *(f"{label}/eV" for label in labels)],
        rows,
        title=f"Steepest descent on {labels[state]}, energies above {lowest:.6f} hartree",
    )
    console.result(f"The path ends at {ends[found.end]}. {found.gradients} geometries computed.")
    console.note(f"Written to {output}")

"""``namd sample relax`` and ``namd sample meci``: from geometries to the points next to them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from namd.cli import console
from namd.cli.kept_search import kept_searches, resume_option, tell_labels

if TYPE_CHECKING:
    from namd.potentials.calculator import Electronics
    from namd.sampling.searches import Found, Search

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _common(command: _Command) -> _Command:
    """Give a command the argument and options that both share."""
    for decorate in reversed(
        (
            click.argument("geometries"),
            click.option("--name", help="Group inside an HDF5 file of one geometry, e.g. cis."),
            click.option(
                "--frame",
                "numbers",
                type=click.IntRange(min=0),
                multiple=True,
                help="Start from this frame, numbered from 0; may be repeated.  [default: all]",
            ),
            click.option("--model", help="A model folder, or a name in the zoo."),
            click.option(
                "--config",
                help="YAML file with an engine (as for `namd label`), or a run configuration, "
                "whose potential is taken.",
            ),
            click.option(
                "--force-tolerance",
                type=click.FloatRange(min=0, min_open=True),
                default=0.005,
                show_default=True,
                help="Largest force left on an atom, eV/Å.",
            ),
            click.option(
                "--max-steps",
                type=click.IntRange(min=1),
                default=500,
                show_default=True,
                help="Steps after which a search is given up.",
            ),
            click.option(
                "--output",
                type=click.Path(path_type=Path),
                required=True,
                help="Frames to write: .h5, or .xyz. Energies stand in OUTPUT.json beside it.",
            ),
            resume_option,
            click.option("--force", is_flag=True, help="Replace an existing file."),
        )
    ):
        command = decorate(command)
    return command


@click.command()
@_common
@click.option(
    "--state",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Whose minimum, 0 the lowest.",
)
def relax(
    *,
    geometries: str,
    name: str | None,
    numbers: tuple[int, ...],
    model: str | None,
    config: str | None,
    force_tolerance: float,
    max_steps: int,
    output: Path,
    resume: bool,
    force: bool,
    state: int,
) -> None:
    """Relax geometries on one adiabatic state of a model or an engine.

    GEOMETRIES is a geometry or a file of frames: a dataset, what another `namd sample` wrote,
    (extended) XYZ. Each start is followed to the next minimum of the state. Where that is an
    intersection with the state below, no force vanishes, and the search fails: `namd sample meci`.

    \b
    Examples:
      namd sample relax models/stilbene-ssr/data/minima.h5 --name trans --model stilbene-ssr \\
        --output s1-trans.h5
      namd sample relax scan.h5 --config casscf.yaml --state 0 --output minima.xyz
    """
    from namd.sampling.relaxation import relax_state
    from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE

    def search(electronics: "Electronics", positions: Any, atomic_numbers: Any) -> "Found":
        return relax_state(
            electronics,
            atomic_numbers,
            positions,
            state=state,
            tolerance=force_tolerance / EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
            max_steps=max_steps,
        )

    _search(
        search,
        geometries=geometries,
        name=name,
        numbers=numbers,
        model=model,
        config=config,
        output=output,
        resume=resume,
        force=force,
        source=f"relax-S{state}",
        record={"state": state, "force_tolerance_ev_per_angstrom": force_tolerance},
    )


@click.command()
@_common
@click.option(
    "--lower",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The lower of the two states that meet.",
)
@click.option(
    "--method",
    type=click.Choice(["projection", "penalty"]),
    help="Gradient projection, or a penalty on the gap.  [default: projection where there are "
    "couplings]",
)
@click.option(
    "--gap-tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=0.001,
    show_default=True,
    help="Largest gap left, eV.",
)
def meci(
    *,
    geometries: str,
    name: str | None,
    numbers: tuple[int, ...],
    model: str | None,
    config: str | None,
    force_tolerance: float,
    max_steps: int,
    output: Path,
    resume: bool,
    force: bool,
    lower: int,
    method: str | None,
    gap_tolerance: float,
) -> None:
    """Search for minimum-energy conical intersections of a model or an engine.

    GEOMETRIES is a geometry or a file of frames: a dataset, what another `namd sample` wrote,
    (extended) XYZ. OUTPUT.json has for each start energies, gap, the orthogonal vectors g and h of
    the branching plane (Hartree/Bohr) and the shape of the cone: pitch, asymmetry, tilt, and
    whether it is peaked or sloped.

    \b
    Examples:
      namd sample meci models/stilbene-ssr/data/stilbene-ssr-thinned.h5 --frame 1902 \\
        --model stilbene-ssr --output meci.h5
      namd sample meci twisted.xyz --config casscf.yaml --method penalty --output meci.xyz
    """
    from namd.sampling.intersection import find_intersection
    from namd.units import EV_PER_ANGSTROM_PER_ATOMIC_FORCE, EV_PER_HARTREE

    def search(electronics: "Electronics", positions: Any, atomic_numbers: Any) -> "Found":
        return find_intersection(
            electronics,
            atomic_numbers,
            positions,
            lower=lower,
            method=method,
            tolerance=force_tolerance / EV_PER_ANGSTROM_PER_ATOMIC_FORCE,
            gap_tolerance=gap_tolerance / EV_PER_HARTREE,
            max_steps=max_steps,
        )

    _search(
        search,
        geometries=geometries,
        name=name,
        numbers=numbers,
        model=model,
        config=config,
        output=output,
        resume=resume,
        force=force,
        source=f"meci-S{lower}-S{lower + 1}",
        record={"lower": lower, "method": method, "gap_tolerance_ev": gap_tolerance},
    )


def _search(
    search: "Callable[[Electronics, Any, Any], Found]",
    *,
    geometries: str,
    name: str | None,
    numbers: tuple[int, ...],
    model: str | None,
    config: str | None,
    output: Path,
    resume: bool,
    force: bool,
    source: str,
    record: dict[str, Any],
) -> None:
    """Read the starts, search from each, write what was found."""
    from namd.data.frames_file import check_frames_path, write_frames
    from namd.io.atomic import write_text
    from namd.io.library import find_file
    from namd.sampling.electronics_choice import choose_electronics
    from namd.sampling.searches import as_json, found_frames, search_all
    from namd.sampling.starts import chosen_starts, read_starts

    path = find_file(geometries)
    frames = read_starts(path, name=name)
    starts = chosen_starts(frames, numbers)
    with kept_searches(output, resume=resume, force=force) as keep:
        check_frames_path(output, overwrite=keep.may_replace)
        chosen = choose_electronics(
            frames.molecule, model=model, config=config, where=str(path), keep=keep
        )
        frames = replace(frames, molecule=chosen.molecule)
        atomic_numbers = frames.molecule.atomic_numbers
        searches = []
        with console.progress() as bar:
            task = bar.add_task(source, total=len(starts))
            for each in search_all(
                lambda electronics, positions: search(electronics, positions, atomic_numbers),
                starts,
                cold=chosen.cold,
            ):
                searches.append(each)
                bar.advance(task)
        record = {**record, "input": path.name, "potential": chosen.description}
        found = found_frames(searches, frames, source=source, stem=output.stem, record=record)
        write_frames(found, output, overwrite=keep.may_replace)
        story = {
            **record,
            "searches": [as_json(each, labels=chosen.labels) for each in searches],
        }
        write_text(
            output.with_name(f"{output.name}.json"),
            json.dumps(story, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        )
        tell_labels(keep, {each.start for each in searches if not each.confirmed})
    _show(searches, chosen.labels, output=output)


def _show(searches: "list[Search]", labels: tuple[str, ...], *, output: Path) -> None:
    from namd.sampling.intersection import Intersection
    from namd.units import EV_PER_HARTREE

    good = [(each.start, each.found) for each in searches if each.found is not None]
    lowest = min(float(found.properties.energies[0]) for _, found in good)
    rows = []
    for start, found in good:
        energies = (found.properties.energies - lowest) * EV_PER_HARTREE
        row = [str(start), *(f"{energy:.4f}" for energy in energies)]
        if isinstance(found, Intersection):
            plane = found.plane
            row += [f"{found.gap * EV_PER_HARTREE:.1e}", found.method]
            row += (
                ["–"] * 4
                if plane is None
                else [
                    *(f"{value:.3f}" for value in (plane.pitch, plane.asymmetry, plane.tilt)),
                    f"{plane.shape} ({plane.peakedness:.2f})",
                ]
            )
        rows.append(row)
    headings = ["start", *(f"{label}/eV" for label in labels)]
    if isinstance(good[0][1], Intersection):
        headings += ["gap/eV", "method", "pitch", "asymmetry", "tilt", "cone (P)"]
    console.table(headings, rows, title=f"Energies above {lowest:.6f} hartree")
    failed = [each for each in searches if each.found is None]
    for each in failed:
        console.warn(f"frame {each.start}: {each.reason}")
    for each in searches:
        if not each.confirmed:
            console.warn(
                f"frame {each.start}: computed from cold, the geometry found has other energies, "
                f"by {each.cold_deviation:.1e} hartree: the search came to another solution of the "
                "engine; start nearer to the end, or leave this one out"
            )
    console.result(
        f"{output}: {len(good)} of {len(searches)} searches ended; {output.name}.json has the rest"
    )

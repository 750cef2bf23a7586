"""``namd sample scan``: a geometry in, frames along a path out."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from namd.cli import console
from namd.cli.kept_search import kept_searches, resume_option, tell_labels
from namd.errors import ConfigError

if TYPE_CHECKING:
    from namd.data.frames import Frames
    from namd.sampling.kept_searches import KeptSearches


def _atoms(count: int) -> Callable[[Any, Any, str | None], tuple[int, ...] | None]:
    """Read atom numbers joined by hyphens: ``3-0-1-4`` → (3, 0, 1, 4)."""

    def read(_context: Any, _parameter: Any, value: str | None) -> tuple[int, ...] | None:
        if value is None:
            return None
        parts = value.split("-")
        if len(parts) != count or not all(part.isdecimal() for part in parts):
            example = "-".join("3014"[:count])
            raise click.BadParameter(f"expected {count} atom numbers from 0 on, such as {example}")
        return tuple(int(part) for part in parts)

    return read


def _angles(_context: Any, _parameter: Any, value: str | None) -> tuple[float, ...] | None:
    """Read degrees: ``0:90:30`` → (0, 30, 60, 90); ``10,25`` → (10, 25)."""
    if value is None:
        return None
    try:
        if ":" not in value:
            return tuple(float(part) for part in value.split(","))
        first, last, step = (float(part) for part in value.split(":"))
        count = math.floor((last - first) / step + 1e-9) + 1
    except (ValueError, ZeroDivisionError, OverflowError):
        count = 0
    if count < 1:
        raise click.BadParameter("expected FIRST:LAST:STEP such as 0:180:10, or a list 0,45,90")
    return tuple(first + k * step for k in range(count))


@click.command()
@click.argument("geometry")
@click.option("--name", help="Group inside an HDF5 file of one geometry, e.g. cis.")
@click.option("--frame", type=click.IntRange(min=0), help="Which frame of GEOMETRY, from 0 on.")
@click.option(
    "--torsion",
    callback=_atoms(4),
    metavar="I-J-K-L",
    help="Turn the torsion of four atoms, e.g. 3-0-1-4.",
)
@click.option(
    "--angles", callback=_angles, metavar="DEGREES", help="Its values: 0:180:10, or 0,45,90."
)
@click.option("--relax", is_flag=True, help="Relax everything else at each angle.")
@click.option("--model", help="Relax on this: a model folder, or a name in the zoo.")
@click.option("--config", help="Relax on this: YAML file with an engine, or a run configuration.")
@click.option(
    "--state",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Relax on this state, 0 the lowest.",
)
@click.option("--to", "goal", help="Other end of a path: a geometry with the same order of atoms.")
@click.option("--to-name", help="Its group inside an HDF5 file.")
@click.option(
    "--points",
    type=click.IntRange(min=2),
    default=11,
    show_default=True,
    help="Of the path, both ends included.",
)
@click.option(
    "--along",
    type=click.Choice(["cartesian", "distances"]),
    default="distances",
    show_default=True,
    help="Straight in positions after alignment, or in distances (IDPP).",
)
@click.option(
    "--pyramidalise",
    callback=_atoms(2),
    metavar="ATOM-ANCHOR",
    help="Bend an atom: ATOM-ANCHOR; its two other neighbours turn about it.",
)
@click.option(
    "--bends",
    callback=_angles,
    metavar="DEGREES",
    help="Angles between the bond to the anchor and the plane of the others, e.g. 0:60:20.",
)
@click.option(
    "--noise",
    type=click.FloatRange(min=0, min_open=True),
    help="Add copies with Gaussian noise of this width, Å.",
)
@click.option(
    "--copies",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many of each frame, with --noise.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of --noise."
)
@click.option("--group", help="Of all frames.  [default: the name of OUTPUT]")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="File to write: .h5, or .xyz."
)
@resume_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
def scan(
    *,
    geometry: str,
    name: str | None,
    frame: int | None,
    torsion: tuple[int, int, int, int] | None,
    angles: tuple[float, ...] | None,
    relax: bool,
    model: str | None,
    config: str | None,
    state: int,
    goal: str | None,
    to_name: str | None,
    points: int,
    along: str,
    pyramidalise: tuple[int, int] | None,
    bends: tuple[float, ...] | None,
    noise: float | None,
    copies: int,
    seed: int,
    group: str | None,
    output: Path,
    resume: bool,
    force: bool,
) -> None:
    """Make frames along a path: a torsion, or the way to another geometry.

    A torsion turns all that hangs on its third atom, the rest stays (rigid) or relaxes on a state
    of a model or an engine with the torsion held. Every point may also be pyramidalised at an atom
    (with a torsion or alone), and be copied with noise. All frames are one group, so that no split
    parts neighbours. Angles are in degrees, atoms are numbered from 0.

    \b
    Examples:
      namd sample scan trans.xyz --torsion 3-0-1-4 --angles 180:0:-10 --output scan.h5
      namd sample scan trans.xyz --torsion 3-0-1-4 --angles 180:90:-10 --relax \\
        --model stilbene-ssr --state 1 --pyramidalise 0-1 --bends 0:60:20 --output twist.h5
      namd sample scan trans.xyz --to cis.xyz --points 21 --noise 0.02 --copies 3 --output path.h5
    """
    from namd.data.frames_file import check_frames_path, write_frames
    from namd.io.library import find_file
    from namd.sampling.scan import Noise, Pyramidalisation, make_scan
    from namd.sampling.starts import one_start, read_starts
    from namd.units import ANGSTROM_PER_BOHR

    _check_pairs(
        ("--torsion", torsion, "--angles", angles),
        ("--pyramidalise", pyramidalise, "--bends", bends),
    )
    if torsion is not None and goal is not None:
        raise ConfigError(
            "a torsion and a path to another geometry are two scans",
            where="--torsion, --to",
            hint="make them one after the other",
        )
    if torsion is None and relax:
        raise ConfigError("what is held?", where="--relax", hint="give --torsion and --angles too")
    if not relax and (model or config or resume):
        where = "--resume" if resume else "--model, --config"
        raise ConfigError("nothing is computed in a rigid scan", where=where, hint="add --relax")
    with kept_searches(output, resume=resume, force=force, group=group or output.stem) as keep:
        check_frames_path(output, overwrite=keep.may_replace)
        path = find_file(geometry)
        frames = read_starts(path, name=name)
        start = one_start(frames, frame)
        source = "scan"
        record: dict[str, Any] = {"input": path.name}
        if torsion is not None and angles is not None:
            source = "scan-relaxed" if relax else "scan-torsion"
            record |= {"torsion": list(torsion), "angles_deg": list(angles)}
            way, computed = _turned(
                frames,
                start,
                torsion,
                angles=angles,
                relax=relax,
                model=model,
                config=config,
                state=state,
                keep=keep,
            )
            record |= computed
        elif goal is not None:
            source = f"path-{along}"
            end = read_starts(find_file(goal), name=to_name)
            way = _between(frames, start, end, points=points, along=along)
            record |= {"to": Path(goal).name, "points": points}
        else:
            way = start[None]
        bent = None
        if pyramidalise is not None and bends is not None:
            record |= {"pyramidalise": list(pyramidalise), "bends_deg": list(bends)}
            atom, anchor = pyramidalise
            bent = Pyramidalisation(
                atom=atom, anchor=anchor, angles=tuple(map(math.radians, bends))
            )
        shaken = None
        if noise is not None:
            record |= {"noise_angstrom": noise, "copies": copies, "seed": seed}
            shaken = Noise(width=noise / ANGSTROM_PER_BOHR, copies=copies, seed=seed)
        made = make_scan(
            way,
            frames.molecule,
            source=source,
            group=group or output.stem,
            pyramidalise=bent,
            noise=shaken,
            record=record,
        )
        write_frames(made, output, overwrite=keep.may_replace)
        tell_labels(keep)
    if left_out := made.provenance["steps"][-1]["left_out"]:
        console.warn(f"{left_out} frames are left out: two atoms would lie on top of each other")
    console.result(f"{output}: {len(made)} frames of {made.molecule.formula} ({source})")


def _check_pairs(*pairs: tuple[str, Any, str, Any]) -> None:
    """Refuse one option of two that need each other."""
    for first, one, second, other in pairs:
        if (one is None) != (other is None):
            missing, given = (first, second) if one is None else (second, first)
            raise ConfigError(f"needs {missing}", where=given, hint="give both")


def _turned(
    frames: "Frames",
    start: Any,
    torsion: tuple[int, int, int, int],
    *,
    angles: tuple[float, ...],
    relax: bool,
    model: str | None,
    config: str | None,
    state: int,
    keep: "KeptSearches",
) -> tuple[Any, dict[str, Any]]:
    """Points of a torsion scan, and a record of what they were relaxed on."""
    from namd.sampling.scan import relaxed_torsion, rigid_torsion

    radians = [math.radians(angle) for angle in angles]
    if not relax:
        return rigid_torsion(frames.molecule, start, torsion, angles=radians), {}
    from namd.sampling.electronics_choice import choose_electronics

    chosen = choose_electronics(
        frames.molecule, model=model, config=config, where="GEOMETRY", keep=keep
    )
    points = relaxed_torsion(
        chosen.electronics, frames.molecule, start, torsion, angles=radians, state=state
    )
    return points, {"state": state, "potential": chosen.description}


def _between(frames: "Frames", start: Any, end: "Frames", *, points: int, along: str) -> Any:
    """Points of a path to another geometry of the same atoms in the same order."""
    from namd.sampling.geometry import check_molecule
    from namd.sampling.paths import interpolated
    from namd.sampling.starts import one_start

    check_molecule(end.molecule.atomic_numbers, frames.molecule, where="--to")
    return interpolated(
        frames.molecule.atomic_numbers, start, one_start(end, None), points=points, method=along
    )

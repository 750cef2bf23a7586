"""``namd sample thin``: many frames in, few that cover them out."""

from pathlib import Path

import click

from namd.cli import console

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("frames", type=FILE)
@click.option(
    "--number",
    "-n",
    type=click.IntRange(min=1),
    required=True,
    help="Frames to take at most.",
)
@click.option(
    "--known",
    type=FILE,
    help="Frames or labels that exist already: nothing near to them is taken.",
)
@click.option(
    "--closest",
    type=click.FloatRange(min=0),
    default=1e-3,
    show_default=True,
    help="Frames nearer than this to one taken are repeats of it, 1/Bohr.",
)
@click.option("--output", type=FILE, required=True, help="File to write: .h5, or .xyz.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def thin(
    *, frames: Path, number: int, known: Path | None, closest: float, output: Path, force: bool
) -> None:
    """Choose the frames that differ most, by farthest-point selection.

    One frame after the other is taken, each time the one farthest from all taken before. The
    distance is that of inverse interatomic distances, sorted within pairs of elements: it does not
    see rotation, reflection, or the numbering of equal atoms. Repeats are dropped. FRAMES is
    anything that `namd label` takes; groups and sources go with the frames.

    \b
    Examples:
      namd sample thin scan.h5 -n 200 --output few.h5
      namd sample thin frames.h5 -n 500 --known labels.h5 --output to_label.h5
    """
    from namd.data.frames import read_frames
    from namd.data.frames_file import check_frames_path, write_frames
    from namd.errors import DataError
    from namd.io.library import in_library
    from namd.sampling.thinning import thin_frames

    check_frames_path(output, overwrite=force)
    kept, taken = thin_frames(
        read_frames(in_library(frames)),
        number=number,
        closest=closest,
        known=None if known is None else read_frames(in_library(known)),
    )
    if not len(kept):
        raise DataError(
            "all frames are repeats of known ones",
            where=str(frames),
            hint="nothing new is to be labelled, or --closest is too large",
        )
    write_frames(kept, output, overwrite=force)
    before = kept.provenance["steps"][-1]["frames_before"]
    console.result(
        f"{output}: {len(kept)} of {before} frames; the last was {taken.distances[-1]:.4f} 1/Bohr "
        f"from those before, no other is farther than {taken.covering:.4f}"
    )

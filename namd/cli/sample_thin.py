"""``namd sample thin``: many frames in, few that cover them out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from namd.cli import console

if TYPE_CHECKING:
    from namd.sampling.thinning import Descriptor

FILE = click.Path(path_type=Path)
_CLOSEST, _CLOSEST_FEATURES = 1e-3, 0.01


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
    "--model",
    metavar="MODEL",
    help="Measure distances in the node features of this model, a folder or a name of the zoo; of "
    "a committee in those of its first member.",
)
@click.option(
    "--closest",
    type=click.FloatRange(min=0),
    help="Frames nearer than this to one taken are repeats of it, 1/Bohr [default: 0.001]; with "
    "--model, in standard deviations of its features [default: 0.01].",
)
@click.option("--output", type=FILE, required=True, help="File to write: .h5, or .xyz.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def thin(
    *,
    frames: Path,
    number: int,
    known: Path | None,
    model: str | None,
    closest: float | None,
    output: Path,
    force: bool,
) -> None:
    """Choose the frames that differ most, by farthest-point selection.

    One frame after the other is taken, each time the one farthest from all taken before. The
    distance is that of inverse interatomic distances, sorted within pairs of elements: it does not
    see rotation, reflection, or the numbering of equal atoms. With --model it is that of the
    invariants which the model has learned at every atom, pooled over the atoms of each element.
    Repeats are dropped. FRAMES is anything that `namd label` takes; groups and sources go with the
    frames.

    \b
    Examples:
      namd sample thin scan.h5 -n 200 --output few.h5
      namd sample thin frames.h5 -n 500 --known labels.h5 --output to_label.h5
      namd sample thin frames.h5 -n 500 --model stilbene-ssr --output to_label.h5
    """
    from namd.data.frames import read_frames
    from namd.data.frames_file import check_frames_path, write_frames
    from namd.errors import DataError
    from namd.io.library import in_library
    from namd.sampling.thinning import INVERSE_DISTANCES, thin_frames

    check_frames_path(output, overwrite=force)
    descriptor = INVERSE_DISTANCES if model is None else _features(model)
    if closest is None:
        closest = _CLOSEST if model is None else _CLOSEST_FEATURES
    kept, taken = thin_frames(
        read_frames(in_library(frames)),
        number=number,
        closest=closest,
        known=None if known is None else read_frames(in_library(known)),
        descriptor=descriptor,
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
        f"{output}: {len(kept)} of {before} frames; the last was {taken.distances[-1]:.4f} "
        f"{descriptor.unit} from those before, no other is farther than {taken.covering:.4f}"
    )


def _features(name: str) -> "Descriptor":
    """Descriptor of a model, or of the first member of a committee; loads torch."""
    from namd.io.library import find_model
    from namd.nn.model_folder import load_model
    from namd.nn.parallel import use_threads
    from namd.potentials.trained import member_folders
    from namd.sampling.model_descriptor import model_descriptor

    use_threads()
    return model_descriptor(load_model(member_folders(find_model(name))[0]))

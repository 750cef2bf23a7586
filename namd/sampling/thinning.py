"""Thin frames for labelling: the farthest from each other, and from what is labelled already."""

from dataclasses import replace

from namd import __version__
from namd.data.frames import Frames
from namd.sampling.farthest import Selection, farthest_points, sorted_inverse_distances
from namd.sampling.geometry import check_molecule


def thin_frames(
    frames: Frames, *, number: int, closest: float, known: Frames | None = None
) -> tuple[Frames, Selection]:
    """Take at most ``number`` frames, each the farthest from all taken before.

    Parameters
    ----------
    frames
        To choose from.
    number, closest
        As for :func:`~namd.sampling.farthest.farthest_points`, ``closest`` in 1/Bohr.
    known
        Frames that exist already; none near to them is taken.

    Returns
    -------
    frames, selection
        The frames taken, in the order they were, with a step in their provenance.

    Raises
    ------
    DataError
        If two atoms of a frame are in one place.
    ModelError
        If ``known`` are frames of another molecule.
    """
    numbers = frames.molecule.atomic_numbers
    if known is not None:
        check_molecule(known.molecule.atomic_numbers, frames.molecule, where="known frames")
    taken = farthest_points(
        sorted_inverse_distances(numbers, frames.positions),
        number=number,
        closest=closest,
        known=None if known is None else sorted_inverse_distances(numbers, known.positions),
    )
    rows = taken.frames
    step = {
        "step": "farthest points",
        "namd": __version__,
        "descriptor": "inverse distances, sorted within pairs of elements",
        "closest_per_bohr": closest,
        "frames_before": len(frames),
        "frames_after": len(rows),
        "known": 0 if known is None else len(known),
    }
    kept = replace(
        frames,
        positions=frames.positions[rows],
        group=frames.group[rows],
        source=frames.source[rows],
        carried={name: values[rows] for name, values in frames.carried.items()},
        provenance={**frames.provenance, "steps": [*frames.provenance.get("steps", []), step]},
    )
    return kept, taken

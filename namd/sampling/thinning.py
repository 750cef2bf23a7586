"""Thin frames for labelling: the farthest from each other, and from what is labelled already.

What is far is a matter of the descriptor: inverse distances, which every molecule has, or the
features a trained model has learned (:mod:`namd.sampling.model_descriptor`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float
from numpy import ndarray

from namd import __version__
from namd.data.frames import Frames
from namd.sampling.farthest import Selection, farthest_points, sorted_inverse_distances
from namd.sampling.geometry import check_molecule

Measured = tuple[Float[ndarray, "frame feature"], Float[ndarray, "other feature"] | None]


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """What frames are told apart by.

    Parameters
    ----------
    name, unit
        In words; the unit is that of distances.
    measure
        Descriptors of frames, and of the known ones if there are any.
    """

    name: str
    unit: str
    measure: Callable[[Frames, Frames | None], Measured]


def _measure_distances(frames: Frames, known: Frames | None) -> Measured:
    numbers = frames.molecule.atomic_numbers
    return (
        sorted_inverse_distances(numbers, frames.positions),
        None if known is None else sorted_inverse_distances(numbers, known.positions),
    )


INVERSE_DISTANCES = Descriptor(
    name="inverse distances, sorted within pairs of elements",
    unit="1/Bohr",
    measure=_measure_distances,
)


def thin_frames(
    frames: Frames,
    *,
    number: int,
    closest: float,
    known: Frames | None = None,
    descriptor: Descriptor = INVERSE_DISTANCES,
) -> tuple[Frames, Selection]:
    """Take at most ``number`` frames, each the farthest from all taken before.

    Parameters
    ----------
    frames
        To choose from.
    number, closest
        As for :func:`~namd.sampling.farthest.farthest_points`, ``closest`` in the unit of the
        descriptor.
    known
        Frames that exist already; none near to them is taken.
    descriptor
        What they are told apart by.

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
    if known is not None:
        numbers = known.molecule.atomic_numbers
        check_molecule(numbers, frames.molecule, where="known frames")
    ours, theirs = descriptor.measure(frames, known)
    taken = farthest_points(ours, number=number, closest=closest, known=theirs)
    rows = taken.frames
    step = {
        "step": "farthest points",
        "namd": __version__,
        "descriptor": descriptor.name,
        "closest": f"{closest:g} {descriptor.unit}",
        "frames_before": len(frames),
        "frames_after": len(rows),
        "known": 0 if known is None else len(known),
    }
    kept = replace(
        frames.select(rows),
        provenance={**frames.provenance, "steps": [*frames.provenance.get("steps", []), step]},
    )
    return kept, taken

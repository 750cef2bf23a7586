"""Searches from many geometries, one after another; a failed one does not end the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from namd import __version__
from namd.data.frames import Frames
from namd.errors import EngineError, PhysicsError
from namd.potentials.calculator import Electronics
from namd.sampling.intersection import Intersection
from namd.sampling.relaxation import StationaryPoint

Found: TypeAlias = StationaryPoint | Intersection

_SAME_STATES = 1e-5
"""Hartree; iterations converge to less, another solution is farther."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What came of one start.

    Parameters
    ----------
    start
        Number of the frame in its file.
    found
        The geometry; ``None`` if there is none.
    reason
        Why not.
    cold_deviation
        Hartree: by how much energies of the geometry found are others when computed from cold.
    """

    start: int
    found: Found | None
    reason: str = ""
    cold_deviation: float = 0.0

    @property
    def confirmed(self) -> bool:
        """Whether a computation from cold ends at the same electronic states."""
        return self.cold_deviation < _SAME_STATES


def search_all(
    search: Callable[[Electronics, Float[np.ndarray, "atom 3"]], Found],
    starts: dict[int, np.ndarray],
    *,
    cold: Callable[..., Electronics],
) -> Iterator[Search]:
    """Search from every start, each from cold, and compute every end once more from cold.

    An engine with several solutions may change from one to the other on the way, by steps small
    enough to be followed; what was found belongs to the surfaces that a user would label then only
    if a computation without a neighbour's guess finds it again.

    Parameters
    ----------
    search
        Electronic structure and geometry (Bohr) in, result out.
    starts
        Frame number → geometry.
    cold
        Makes an electronic structure that begins without a guess; called with the ``start``, and
        with ``again=True`` for its end.

    Yields
    ------
    Search
        As each ends; those that do not converge or cannot be computed with the reason.
    """
    for number, positions in starts.items():
        try:
            found = search(cold(start=number), positions)
            again = cold(start=number, again=True)(found.positions).energies
            deviation = float(np.abs(again - found.properties.energies).max())
            yield Search(start=number, found=found, cold_deviation=deviation)
        except (PhysicsError, EngineError) as error:
            yield Search(start=number, found=None, reason=error.message)


def found_frames(
    searches: list[Search], frames: Frames, *, source: str, stem: str, record: dict[str, Any]
) -> Frames:
    """Geometries that were found, each a group of its own.

    Parameters
    ----------
    searches
        Of which one at least has found something.
    frames
        The starts.
    source
        Of the new frames.
    stem
        Their groups are called after it and the number of the start.
    record
        Of how they were found, for the provenance.

    Raises
    ------
    PhysicsError
        If nothing was found.
    """
    good = [(each.start, each.found) for each in searches if each.found is not None]
    if not good:
        reasons = ", ".join(sorted({each.reason for each in searches}))
        raise PhysicsError(
            f"none of {len(searches)} searches ended: {reasons}",
            where=source,
            hint="start from other geometries",
        )
    step = {"step": source, "namd": __version__, **record}
    return Frames(
        molecule=frames.molecule,
        positions=np.stack([found.positions for _, found in good]),
        group=np.array([f"{stem}-{start:05d}" for start, _ in good]),
        source=np.full(len(good), source),
        provenance={**frames.provenance, "steps": [*frames.provenance.get("steps", []), step]},
    )


def as_json(search: Search, *, labels: tuple[str, ...]) -> dict[str, Any]:
    """Everything that is known of a search as plain JSON types, in atomic units.

    Parameters
    ----------
    search
        One of them.
    labels
        Of the states.

    Returns
    -------
    dict
        ``start`` and either ``failure`` or ``energies_hartree`` by state with
        ``cold_start_deviation_hartree``; for an intersection also
        ``method``, ``gap_hartree`` and ``branching_plane`` (``null`` without couplings) with ``g``
        and ``h`` in Hartree/Bohr, atom by atom.
    """
    if search.found is None:
        return {"start": search.start, "failure": search.reason}
    energies = search.found.properties.energies.tolist()
    told = {
        "start": search.start,
        "energies_hartree": dict(zip(labels, energies, strict=True)),
        "cold_start_deviation_hartree": search.cold_deviation,
    }
    if isinstance(search.found, Intersection):
        plane = search.found.plane
        told["method"] = search.found.method
        told["gap_hartree"] = search.found.gap
        told["branching_plane"] = plane and {
            "pitch": plane.pitch,
            "asymmetry": plane.asymmetry,
            "tilt": plane.tilt,
            "peakedness": plane.peakedness,
            "shape": plane.shape,
            "g": plane.g.tolist(),
            "h": plane.h.tolist(),
        }
    return told

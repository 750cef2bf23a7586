"""Several runs of one method counted as one: another seed for more trajectories, or other models.

Trajectories are independent, so that those of runs with seeds of their own are one sample; of runs
on several models the sample is of both, and its interval says nothing of how the models differ
(:mod:`namd.analysis.model_error` does).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float

from namd.analysis.comparison import began_alike, refuse_other_subject
from namd.errors import DataError
from namd.io.ensemble import Ensemble, Hops

_ROWS = {  # axis of the trajectories → arrays
    0: ("final_status", "final_reason", "final_step"),
    1: ("active_state", "status", "amplitudes", "energies", "total_energy"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class JoinedEnsemble(Ensemble):
    """Trajectories of several runs, one run after the other, numbered on.

    Parameters
    ----------
    parts
        The ensembles. Configuration and path are those of the first.
    """

    parts: tuple[Ensemble, ...]

    def positions(self, frame: int = -1) -> Float[np.ndarray, "traj atom 3"]:
        """Positions of all trajectories in one frame, Bohr; see :meth:`Ensemble.positions`."""
        return np.concatenate([part.positions(frame) for part in self.parts])

    def hop_positions(self) -> Float[np.ndarray, "hop atom 3"]:
        """Positions at every attempted hop, Bohr; see :meth:`Ensemble.hop_positions`."""
        return np.concatenate([part.hop_positions() for part in self.parts])


def join(ensembles: Sequence[Ensemble]) -> Ensemble:
    """Count runs of one molecule and method as one.

    Parameters
    ----------
    ensembles
        One or more, as read by :func:`namd.io.ensemble.read_ensemble`; one is given back as it is.

    Raises
    ------
    DataError
        If they differ in molecule, states, method or saved times, or if two began alike: the same
        trajectories would count twice.
    """
    first = ensembles[0]
    if len(ensembles) == 1:
        return first
    for k, other in enumerate(ensembles[1:], 1):
        refuse_other_subject(first, other)
        _refuse_other_method(first, other)
        for earlier in ensembles[:k]:
            if began_alike(earlier, other):
                raise DataError(
                    f"began as {earlier.path} did: the same trajectories would count twice",
                    where=str(other.path),
                    hint="give each run a seed of its own; runs that began alike are for "
                    "`namd analyze compare`",
                )
    starts = np.cumsum([0, *(each.n_trajectories for each in ensembles)])
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(each, name) for each in ensembles], axis=axis)
        for axis, names in _ROWS.items()
        for name in names
    }
    hops = {
        field.name: np.concatenate([getattr(each.hops, field.name) for each in ensembles])
        for field in fields(Hops)
    }
    hops["trajectory"] = np.concatenate(
        [each.hops.trajectory + start for each, start in zip(ensembles, starts, strict=False)]
    )
    diabatic = None  # those of another model are others, whatever their number
    if all(each.potential == first.potential for each in ensembles):
        known = [each.diabatic_populations for each in ensembles]
        found = [each for each in known if each is not None]
        diabatic = np.concatenate(found, axis=1) if len(found) == len(ensembles) else None
    whole = {field.name: getattr(first, field.name) for field in fields(Ensemble)}
    changed = {
        "potential": _potential(ensembles),
        "hops": Hops(**hops),
        "trajectory_id": np.arange(starts[-1]),
        "diabatic_populations": diabatic,
    }
    return JoinedEnsemble(**(whole | arrays | changed), parts=tuple(ensembles))


def _potential(ensembles: Sequence[Ensemble]) -> dict[str, Any]:
    """The first one's if all have it; else only how many there are."""
    found = [each.potential for each in ensembles]
    if all(each == found[0] for each in found):
        return found[0]
    names = list(dict.fromkeys(str(each.get("name")) for each in found))
    return {"name": names[0] if len(names) == 1 else f"{len(names)} models"}


def _refuse_other_method(first: Ensemble, other: Ensemble) -> None:
    """Refuse what `namd analyze compare` is for, and runs that are not equally far."""
    here, there = (dict(each.config.get("dynamics", {})) for each in (first, other))
    keys = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    if keys or first.decoherence != other.decoherence:
        raise DataError(
            f"differs from {first.path} in {', '.join(keys) or 'decoherence'}",
            where=str(other.path),
            hint="only runs of one method count as one; `namd analyze compare` sets others "
            "beside each other",
        )
    if not np.array_equal(first.time, other.time):
        raise DataError(
            f"saved other times than {first.path}",
            where=str(other.path),
            hint="give finished runs with the same output.every_fs",
        )

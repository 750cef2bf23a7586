"""Quantum yields: what every trajectory has become, by declared classes of geometries.

Every trajectory is in exactly one place:

* a declared class, if it is in the ground state in its last frame and its geometry fits;
* ``undecided``, if it is still excited there, or in the ground state but fits no class;
* ``failed``, if a guard parked it.

The fractions therefore sum to one. Those among the decided trajectories only, which papers often
quote, are given beside them under their own name.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from namd.analysis.geometry import angle, dihedral, distance, min_distance, pyramidalisation
from namd.analysis.intervals import wilson
from namd.config.classes import AnalysisConfig, Coordinate, check_atoms
from namd.io.ensemble import ACTIVE, Ensemble, is_parked, parking_reasons
from namd.units import ANGSTROM_PER_BOHR, FS_PER_ATOMIC_TIME

UNDECIDED, FAILED = "undecided", "failed"
UNCLASSIFIED = -1


@dataclass(frozen=True, kw_only=True)
class Share:
    """A count and its fraction of ``total`` with the 95 % Wilson interval (None if total is 0)."""

    count: int
    total: int
    fraction: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, kw_only=True)
class Yields:
    """Where all trajectories of an ensemble ended.

    Parameters
    ----------
    classes
        Every declared class in order, then ``undecided`` and ``failed``: share of all.
    conditional
        The declared classes again: share of the decided trajectories.
    still_excited, unclassified
        The two parts of ``undecided``.
    still_running
        Trajectories (of any class) whose propagation has not ended yet.
    failures
        Parked trajectories by the name of the reason.
    time_fs
        Time of the last saved frame.
    """

    classes: dict[str, Share]
    conditional: dict[str, Share]
    still_excited: int
    unclassified: int
    still_running: int
    failures: dict[str, int]
    time_fs: float

    @property
    def decided(self) -> int:
        """Trajectories in one of the declared classes."""
        return sum(entry.count for entry in self.conditional.values())


def share(count: int, total: int) -> Share:
    """Fraction ``count / total`` with its Wilson interval."""
    if total == 0:
        return Share(count=count, total=0, fraction=None, lower=None, upper=None)
    lower, upper = wilson(np.array(count), np.array(total))
    return Share(
        count=count, total=total, fraction=count / total, lower=float(lower), upper=float(upper)
    )


def coordinate_values(
    positions: Float[np.ndarray, "*batch atom 3"], coordinate: Coordinate
) -> Float[np.ndarray, "*batch"]:
    """Evaluate one declared coordinate: degrees or Å; a dihedral is unsigned, 0° … 180°.

    Parameters
    ----------
    positions
        Bohr.
    coordinate
        As declared in the ``analysis`` section.
    """
    match coordinate.kind:
        case "dihedral":
            values = np.degrees(np.abs(dihedral(positions, coordinate.atoms)))
        case "angle":
            values = np.degrees(angle(positions, coordinate.atoms))
        case "distance":
            values = distance(positions, coordinate.atoms) * ANGSTROM_PER_BOHR
        case "min_distance":
            values = min_distance(positions, coordinate.pairs) * ANGSTROM_PER_BOHR
        case "pyramidalisation":
            each = [pyramidalisation(positions, centre) for centre in coordinate.centres]
            values = np.degrees(np.max(each, axis=0))
        case "position":
            axis = "xyz".index(coordinate.axis)
            values = positions[..., coordinate.atom, axis] * ANGSTROM_PER_BOHR
    return np.asarray(values)


def classify(
    positions: Float[np.ndarray, "traj atom 3"], config: AnalysisConfig
) -> Int[np.ndarray, " traj"]:
    """Give each geometry the number of the first declared class that fits, −1 where none does.

    Parameters
    ----------
    positions
        Bohr. A coordinate that comes out as NaN fits no bound.
    config
        Coordinates and ordered classes.
    """
    values = {c.name: coordinate_values(positions, c) for c in config.coordinates}
    found = np.full(len(positions), UNCLASSIFIED, dtype=np.int64)
    for number, declared in reversed(list(enumerate(config.classes))):
        fits = np.ones(len(positions), dtype=np.bool_)
        for bound in declared.bounds:
            low, high = bound.interval
            value = values[bound.coordinate]
            fits &= (low <= value) & (value < high)
        found[fits] = number
    return found


def outcome_names(config: AnalysisConfig) -> list[str]:
    """Everything that can become of a trajectory: the declared classes in order, then the rest."""
    return [*(declared.name for declared in config.classes), UNDECIDED, FAILED]


def outcomes(ensemble: Ensemble, config: AnalysisConfig) -> Shaped[np.ndarray, " traj"]:
    """Say what each trajectory has become in its last saved frame, by name.

    Parameters
    ----------
    ensemble
        As read by :func:`namd.io.ensemble.read_ensemble`.
    config
        Coordinates and ordered classes.

    Raises
    ------
    ConfigError
        If a coordinate names an atom the molecule does not have.
    """
    check_atoms(config, len(ensemble.atomic_numbers), where=str(ensemble.path))
    failed = is_parked(ensemble)
    ground = ~failed & (ensemble.active_state[-1] == 0)
    # UNCLASSIFIED is -1: the last name.
    names = np.array([*(declared.name for declared in config.classes), UNDECIDED])
    found = np.full(ensemble.n_trajectories, UNDECIDED, dtype=object)
    found[ground] = names[classify(ensemble.positions(-1)[ground], config)]
    found[failed] = FAILED
    return found


def quantum_yields(ensemble: Ensemble, config: AnalysisConfig) -> Yields:
    """Count what every trajectory has become in its last saved frame.

    Parameters
    ----------
    ensemble
        As read by :func:`namd.io.ensemble.read_ensemble`.
    config
        Coordinates and ordered classes.

    Raises
    ------
    ConfigError
        If a coordinate names an atom the molecule does not have.
    """
    found = outcomes(ensemble, config)
    everything = {name: int((found == name).sum()) for name in outcome_names(config)}
    counts = {declared.name: everything[declared.name] for declared in config.classes}
    decided = sum(counts.values())
    excited = int((~is_parked(ensemble) & (ensemble.active_state[-1] != 0)).sum())
    return Yields(
        classes={name: share(k, ensemble.n_trajectories) for name, k in everything.items()},
        conditional={name: share(k, decided) for name, k in counts.items()},
        still_excited=excited,
        unclassified=everything[UNDECIDED] - excited,
        still_running=int(
            ((ensemble.final_status == ACTIVE) & (ensemble.status[-1] == ACTIVE)).sum()
        ),
        failures=parking_reasons(ensemble),
        time_fs=float(ensemble.time[-1]) * FS_PER_ATOMIC_TIME,
    )

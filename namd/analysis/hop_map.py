"""Where trajectories hop: two coordinates of every geometry at which one reached the ground state.

A trajectory may hop back and come down again. The hop after which it stayed decides; the earlier
ones are told apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from namd.analysis.yields import coordinate_values, outcomes
from namd.config.classes import ANGULAR, AnalysisConfig, Coordinate
from namd.errors import ConfigError
from namd.io.ensemble import Ensemble
from namd.units import EV_PER_HARTREE, FS_PER_ATOMIC_TIME


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A coordinate: its name and its unit, ``degrees`` or ``Å``."""

    name: str
    unit: str


@dataclass(frozen=True, eq=False, kw_only=True)
class HopMap:
    """Accepted hops to the ground state, in the order of the hop table.

    Parameters
    ----------
    axes
        The two coordinates.
    values
        Their values; NaN where one is not defined.
    trajectory
        Number of each hop's trajectory.
    time_fs, gap_ev
        When, and at which energy gap.
    last
        Whether the trajectory stayed in the ground state from then on.
    outcome
        What has become of the trajectory: a declared class, ``undecided`` or ``failed``.
    """

    axes: tuple[Axis, Axis]
    values: Float[np.ndarray, "hop 2"]
    trajectory: Int[np.ndarray, " hop"]
    time_fs: Float[np.ndarray, " hop"]
    gap_ev: Float[np.ndarray, " hop"]
    last: Bool[np.ndarray, " hop"]
    outcome: Shaped[np.ndarray, " hop"]

    def __len__(self) -> int:
        return len(self.values)


def hop_map(ensemble: Ensemble, config: AnalysisConfig, *, names: tuple[str, str]) -> HopMap:
    """Evaluate two declared coordinates at the hops to the ground state.

    Parameters
    ----------
    ensemble
        As read by :func:`namd.io.ensemble.read_ensemble`.
    config
        Coordinates and ordered classes.
    names
        Of two coordinates.

    Raises
    ------
    ConfigError
        If a coordinate is not declared, or names an atom the molecule does not have.
    DataError
        If the file has no positions of its hops.
    """
    coordinates = [_declared(config, name) for name in names]
    fates = outcomes(ensemble, config)  # checks the atoms
    hops = ensemble.hops
    down = np.flatnonzero(hops.accepted & (hops.to_state == 0))
    positions = ensemble.hop_positions()[down]
    found = [coordinate_values(positions, coordinate) for coordinate in coordinates]
    first, second = (
        Axis(name=c.name, unit="degrees" if c.kind in ANGULAR else "Å") for c in coordinates
    )
    rows = hops.trajectory[down]
    return HopMap(
        axes=(first, second),
        values=np.stack(found, axis=-1),
        trajectory=ensemble.trajectory_id[rows],
        time_fs=hops.time[down] * FS_PER_ATOMIC_TIME,
        gap_ev=hops.gap[down] * EV_PER_HARTREE,
        last=_stays(ensemble)[down],
        outcome=fates[rows],
    )


def _stays(ensemble: Ensemble) -> Bool[np.ndarray, " hop"]:
    """Whether each hop is its trajectory's last accepted one."""
    hops = ensemble.hops
    latest = np.full(ensemble.n_trajectories, -np.inf)
    np.maximum.at(latest, hops.trajectory[hops.accepted], hops.time[hops.accepted])
    return np.asarray(hops.accepted & (hops.time == latest[hops.trajectory]))


def _declared(config: AnalysisConfig, name: str) -> Coordinate:
    found = {coordinate.name: coordinate for coordinate in config.coordinates}
    if name not in found:
        raise ConfigError(
            "no coordinate of this name is declared",
            where=f"--map {name}",
            hint=f"declared: {', '.join(found)}; add it to `analysis.coordinates` or to --classes",
        )
    return found[name]

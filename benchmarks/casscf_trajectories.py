"""What the page on stilbene at CASSCF says of its trajectories and no command prints.

    python benchmarks/casscf_trajectories.py runs/cis-1 runs/cis-2 runs/cis-3 runs/cis-4

Of the runs together: hops to S0 by their time and gap; how many trajectories are left in S1; how
long after its last hop the torsion of a trajectory that ended in S0 crossed 90 degrees for the last
time (0: never again); the shortest distance of ortho carbons in S1 (from 60 fs on: the geometries
of the start do not count); the shortest distance of a phenyl group and the other ethylenic carbon.
Times are those of saved frames, so they are known to 5 fs.
"""

from pathlib import Path
from typing import Any

import measuring
import numpy as np

from namd.analysis.geometry import dihedral, min_distance
from namd.analysis.joined import join
from namd.io.ensemble import PARKED, Ensemble, read_ensemble
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE, FS_PER_ATOMIC_TIME

TORSION = (5, 6, 7, 8)
ORTHO = ((0, 9), (0, 13), (4, 9), (4, 13))
PHENYL = ((5, 7), (8, 6))
MIGRATION = ((19, 7), (20, 6))
BEFORE_FS, WIDE_EV, START_FS = 290.0, 1.5, 60.0


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    options = parser.parse_args()
    about = measuring.machine()
    ensemble = join([read_ensemble(run) for run in options.runs])
    found = {**of_hops(ensemble), **of_geometries(ensemble)}
    for name, value in found.items():
        print(f"{name.replace('_', ' '):45} {value}")
    measuring.finish(found, about=about, path=options.json)


def of_hops(ensemble: Ensemble) -> dict[str, Any]:
    """Numbers of hops down, early ones and those at wide gaps."""
    hops = ensemble.hops
    down = hops.accepted & (hops.to_state == 0)
    time, gap = hops.time[down] * FS_PER_ATOMIC_TIME, hops.gap[down] * EV_PER_HARTREE
    early, wide = time < BEFORE_FS, gap > WIDE_EV
    migration = min_distance(ensemble.hop_positions()[down], MIGRATION) * ANGSTROM_PER_BOHR
    median = round(float(np.median(migration)), 2) if down.any() else None
    return {
        "hops_to_s0": int(down.sum()),
        f"before_{BEFORE_FS:.0f}_fs": int(early.sum()),
        f"at_gaps_above_{WIDE_EV}_ev": int(wide.sum()),
        "both": int((early & wide).sum()),
        "migration_distance_at_hops_angstrom_median": median,
    }


def of_geometries(ensemble: Ensemble) -> dict[str, Any]:
    """What the saved frames tell."""
    time = ensemble.time * FS_PER_ATOMIC_TIME
    excited, parked = ensemble.active_state > 0, ensemble.status == PARKED
    cis, ortho, phenyl = (np.empty(excited.shape) for _ in range(3))
    for frame in range(len(time)):  # one at a time: a long run may not fit into memory
        positions = ensemble.positions(frame)
        cis[frame] = np.abs(dihedral(positions, TORSION)) < np.pi / 2
        ortho[frame] = min_distance(positions, ORTHO) * ANGSTROM_PER_BOHR
        phenyl[frame] = min_distance(positions, PHENYL) * ANGSTROM_PER_BOHR
    late = excited & ~parked & (time > START_FS)[:, None]
    closest = np.where(late, ortho, np.inf).min(0)
    decided = decision_times(time, excited=excited, cis=cis.astype(bool), parked=parked[-1])
    left = (excited & ~parked).sum(1)
    return {
        **{f"in_s1_at_{at}_fs": int(left[np.abs(time - at).argmin()]) for at in (290, 365, 600)},
        "in_s1_at_the_end": int(left[-1]),
        "decided_after_fs_90_and_95_percent": np.percentile(decided, [90, 95]).round(1).tolist(),
        "ortho_carbons_in_s1_below_2.3_angstrom": int((closest < 2.3).sum()),
        "shortest_phenyl_distance_angstrom": round(float(np.where(parked, 9, phenyl).min()), 2),
    }


def decision_times(
    time: np.ndarray, *, excited: np.ndarray, cis: np.ndarray, parked: np.ndarray
) -> np.ndarray:
    """From the last hop of each trajectory that ended in S0 to its last change of side.

    ``excited`` and ``cis`` are [frame, traj], ``parked`` is [traj].
    """
    found = []
    for k in np.flatnonzero(~excited[-1] & ~parked & excited.any(0)):
        ground = int(np.flatnonzero(excited[:, k])[-1]) + 1
        other = np.flatnonzero(cis[ground:, k] != cis[-1, k])
        found.append(time[ground + other[-1] + 1] - time[ground] if len(other) else 0.0)
    return np.array(found)


if __name__ == "__main__":
    main()

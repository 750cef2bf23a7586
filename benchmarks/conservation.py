"""Conservation of the total energy in finished surface-hopping ensembles.

    namd run surface-hopping stilbene-cis --output runs/cis
    python benchmarks/conservation.py runs/cis [--json FILE]

For every trajectory, over the time it moved: the slope of a straight line through its total
energy (drift, eV/ps), the root mean square around that line (fluctuation, eV), the largest change
between neighbouring saved frames (jump, eV) and the largest difference from the start (deviation,
eV). Given are the median, the 5 to 95 % range over the trajectories and the largest absolute value,
and how many trajectories were parked by which guard.

A drift whose median is far from zero compared with its range is systematic: a time step that is too
long, or forces that are not the gradient of the energy. One that only scatters comes from the
roughness of the surface and from the turning points of fast vibrations.
"""

from pathlib import Path
from typing import Any

import measuring
import numpy as np

from namd.analysis.conservation import energy_conservation, spread
from namd.analysis.subject import endings, subject
from namd.errors import NamdError
from namd.io.ensemble import read_ensemble
from namd.units import FS_PER_ATOMIC_TIME

_MEASURED = ("drift_ev_per_ps", "fluctuation_ev", "jump_ev", "deviation_ev")


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    options = parser.parse_args()
    about = measuring.machine()
    try:
        runs = [measure(run) for run in options.runs]
    except NamdError as error:
        parser.exit(error.exit_code, f"{error}\n")
    measuring.finish({"runs": runs}, about=about, path=options.json)


def measure(run: Path) -> dict[str, Any]:
    """Measure one ensemble and print it."""
    ensemble = read_ensemble(run)
    found = energy_conservation(ensemble)
    spreads = {name: spread(getattr(found, name)) for name in _MEASURED}
    frame_fs = float(np.median(np.diff(ensemble.time))) * FS_PER_ATOMIC_TIME
    print(f"{run}: {subject(ensemble)}")
    print(
        f"  dt {ensemble.timestep * FS_PER_ATOMIC_TIME:.4g} fs, a frame every {frame_fs:.4g} fs, "
        f"{found.time_ps.sum():.4g} ps in all; "
        + ", ".join(f"{count} {name}" for name, count in endings(ensemble).items())
    )
    for name, row in spreads.items():
        if row is not None:
            print(
                f"  {name:16} median {row.median:+.2e}   5-95 % {row.lower:+.2e} … "
                f"{row.upper:+.2e}   largest {row.largest:.2e}"
            )
    for name, count in found.parked.items():
        print(f"  parked: {count} ({name})")
    return {
        "run": run.name,
        "subject": subject(ensemble),
        "timestep_fs": ensemble.timestep * FS_PER_ATOMIC_TIME,
        "frame_fs": frame_fs,
        "trajectories": ensemble.n_trajectories,
        "endings": endings(ensemble),
        "parked": found.parked,
        "picoseconds": found.time_ps.sum(),
        **spreads,
    }


if __name__ == "__main__":
    main()

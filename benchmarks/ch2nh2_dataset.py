"""Make benchmarks/data/ch2nh2.h5: three trajectories and ten single geometries of CH2NH2+.

    python benchmarks/ch2nh2_dataset.py spainn_ch2nh2.db benchmarks/data/ch2nh2.h5

joins tests/data/ch2nh2-sharc2.h5 (two SHARC trajectories, see tests/data/README.md) with the
example database of SPaiNN (https://github.com/CompPhotoChem/SPaiNN, MIT licence), whose labels are
of the same method. In its 99 rows

* 1–10 are single geometries, stored as Bohr times 0.529177² (the conversion to Å made twice); each
  becomes a group of its own, ``single-01`` to ``single-10``;
* 11–99 are one trajectory in Bohr, the group ``spainn-traj``: between its frames energies change by
  −∫F·dR in these units to 0.01 eV;
* ``nacs`` are d_ij in 1/Bohr, ``smooth_nacs`` (E_i − E_j) d_ij, and forces are known for all.
"""

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import comparison  # noqa: F401  (puts the checkout first)
import numpy as np
from ase.db import connect

from namd.data.checks import check_dataset
from namd.data.combining import concatenate
from namd.data.dataset import Dataset
from namd.data.native import write_dataset
from namd.data.reading import read_dataset
from namd.errors import DataError, NamdError
from namd.molecule import Molecule
from namd.states import StateSpace
from namd.units import ANGSTROM_PER_BOHR

SHARC = Path(__file__).resolve().parents[1] / "tests" / "data" / "ch2nh2-sharc2.h5"
SINGLE = 10
LICENCE = "MIT (SHNITSEL tools; SPaiNN)"
LEVEL = "MR-CISD(6,4)/aug-cc-pVDZ"
_ENERGY_TOLERANCE = 2e-3  # Hartree, of the trapezoid rule along the trajectory


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        labels = read_spainn(options.database)
        check_dataset(labels, path=options.database, require_coupling=True)
        sharc = read_dataset(SHARC)
        joined = replace(
            concatenate([sharc, labels]),
            licence=LICENCE,
            provenance={"sharc": dict(sharc.provenance), "spainn": _digest(options.database)},
        )
        write_dataset(joined, options.out)
    except NamdError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {len(joined)} frames")
    return 0


def read_spainn(path: Path) -> Dataset:
    """The database as labelled frames in Bohr.

    Raises
    ------
    DataError
        If energies and forces along the trajectory disagree: units or signs are not as described.
    """
    with connect(path) as database:
        rows = list(database.select())
    energies = np.array([np.ravel(row.data["energy"]) for row in rows])
    # [atom, state, xyz] in the file, [state, atom, xyz] here; pairs likewise
    forces = np.array([row.data["forces"] for row in rows]).swapaxes(1, 2)
    couplings = np.array([row.data["nacs"] for row in rows]).swapaxes(1, 2)
    positions = np.array([row.positions for row in rows])
    positions[:SINGLE] /= ANGSTROM_PER_BOHR**2
    _require_consistency(positions[SINGLE:], energies[SINGLE:], forces[SINGLE:], path)
    steps = len(rows) - SINGLE
    groups = [f"single-{number + 1:02}" for number in range(SINGLE)] + ["spainn-traj"] * steps
    return Dataset(
        molecule=Molecule.from_numbers(np.asarray(rows[0].numbers), charge=1),
        states=StateSpace.singlets(energies.shape[1]),
        level_of_theory=LEVEL,
        arrays={
            "positions": positions,
            "energies": energies,
            "forces": forces,
            "nonadiabatic_coupling": couplings,
            "group": np.array(groups),
            "source": np.array(["single"] * SINGLE + ["traj"] * steps),
        },
    )


def _digest(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _require_consistency(
    positions: np.ndarray, energies: np.ndarray, forces: np.ndarray, path: Path
) -> None:
    """E(t + dt) − E(t) = −F·dR by the trapezoid rule, in the median over steps and states."""
    moved = np.diff(positions, axis=0)[:, None]
    work = -(0.5 * (forces[1:] + forces[:-1]) * moved).sum((2, 3))
    error = float(np.median(np.abs(np.diff(energies, axis=0) - work)))
    if error > _ENERGY_TOLERANCE:
        raise DataError(
            f"energies and forces of the trajectory disagree by {error:.1e} Hartree per step",
            where=str(path),
            hint="the file differs from the one this script was written for",
        )


if __name__ == "__main__":
    sys.exit(main())

"""Scan the central torsion of cis-stilbene rigidly on the shipped model, from Python.

    python examples/torsion_scan.py

Prints E(S0), E(S1), the gap and the norm of the nonadiabatic coupling d_01 against the angle by
which one half of the molecule is turned about the double bond.
"""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from namd.io.hdf5 import open_hdf5, read_array
from namd.io.library import find_file, find_model
from namd.nn.model_folder import load_model
from namd.units import ANGSTROM_PER_BOHR, EV_PER_HARTREE

ANGLES = np.arange(0, 181, 15)
AXIS = (6, 7)  # the double bond


def turned(positions: np.ndarray, half: np.ndarray, angle: float) -> np.ndarray:
    """Positions with the atoms of ``half`` turned by ``angle`` degrees about the axis."""
    origin = positions[AXIS[0]]
    axis = positions[AXIS[1]] - origin
    turn = Rotation.from_rotvec(np.radians(angle) * axis / np.linalg.norm(axis))
    result = positions.copy()
    result[half] = turn.apply(positions[half] - origin) + origin
    return result


def atoms_beyond_axis(positions: np.ndarray) -> np.ndarray:
    """Atoms nearer (along bonds) to the second atom of the axis than to the first."""
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1) * ANGSTROM_PER_BOHR
    bonded = distances < 1.7
    bonded[AXIS] = bonded[AXIS[::-1]] = False
    reached = np.zeros(len(positions), dtype=bool)
    reached[AXIS[1]] = True
    for _ in positions:
        reached |= bonded[reached].any(0)
    return reached


def main() -> None:
    """Print the table."""
    model = load_model(find_model("stilbene-ssr"))
    with open_hdf5(find_file("models/stilbene-ssr/data/minima.h5")) as file:
        cis = read_array(file["cis"], "positions")
    half = atoms_beyond_axis(cis)
    scan = torch.from_numpy(np.stack([turned(cis, half, angle) for angle in ANGLES]))
    surfaces = model.adiabatic(scan)
    energies = (surfaces.energies - surfaces.energies[0, 0]).numpy() * EV_PER_HARTREE
    gaps = surfaces.energies.diff(dim=1)[:, :, None, None]
    coupling = (surfaces.interstate_coupling / gaps).flatten(1).norm(dim=1) / ANGSTROM_PER_BOHR
    print("turn/°  E(S0)/eV  E(S1)/eV  gap/eV  |d01| Å")
    for angle, (lower, upper), d in zip(ANGLES, energies, coupling.tolist(), strict=True):
        print(f"{angle:6d}  {lower:8.3f}  {upper:8.3f}  {upper - lower:6.3f}  {d:7.3f}")


if __name__ == "__main__":
    main()
